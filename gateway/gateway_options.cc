// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_options.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/status_macros.h"
#include "service/listen_flags.h"

namespace mesh::gateway {
namespace {

ConnectionLimits::Options LimitsOf(const GatewayOptions& options) {
  return {.max_connections = options.max_connections,
          .max_per_address = options.max_connections_per_address,
          .max_new_per_second = options.max_new_connections_per_address};
}

// One item for each part of a list flag.
template <typename T>
absl::StatusOr<std::vector<T>> ParseList(
    absl::string_view flag, absl::string_view text, char separator,
    absl::StatusOr<T> (*parse)(absl::string_view)) {
  std::vector<T> items;
  for (const absl::string_view part :
       absl::StrSplit(text, separator, absl::SkipWhitespace())) {
    absl::StatusOr<T> item = parse(part);
    if (!item.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(flag, ": ", item.status().message()));
    }
    items.push_back(*std::move(item));
  }
  return items;
}

}  // namespace

void AddGatewayFlags(service::Flags& flags, GatewayOptions* options) {
  service::AddListenFlags(flags, &options->listen);
  flags.Add("name", &options->name, "unique in the mesh among gateways");
  flags.Add("router", &options->router_address, "HOST:PORT of the router");
  flags.Add("model", &options->model_dir,
            "model folder; only its tokenizer and configuration are read");
  flags.Add("chat-template", &options->chat_template,
            "for models whose own template is not known");
  flags.Add(
      "model-aliases", &options->model_aliases,
      "other names of the model, ALIAS=MODEL[:thinking|:no-thinking],...");
  flags.Add("model-prices", &options->model_prices,
            "for a million tokens, MODEL=PROMPT,CACHED,COMPLETION;...");
  flags.Add("http-listen", &options->http_listen,
            "HOST:PORT of the HTTP APIs; empty: none");
  flags.Add("max-requests", &options->max_requests, "requests at the same time",
            1, 1000000);
  flags.Add("max-connections", &options->max_connections,
            "connections of each port", 1, 1000000);
  flags.Add("max-connections-per-address",
            &options->max_connections_per_address, "of them, from one address",
            1, 1000000);
  flags.Add("max-new-connections-per-address",
            &options->max_new_connections_per_address, "of them, in one second",
            1, 1000000);
  flags.Add("api-keys", &options->api_keys,
            "YAML file of tenants and their keys; empty: everybody may ask");
  flags.Add("api-pepper", &options->api_pepper,
            "file of the secret that --api-keys was made with");
  flags.Add("metrics-compat", &options->metrics_compat,
            "vllm: export the most used metrics under its names too");
  flags.Add("heartbeat-timeout", &options->heartbeat_timeout,
            "an attention node that is silent for longer is gone");
}

absl::Status CheckGatewayOptions(const GatewayOptions& options) {
  RETURN_IF_ERROR(service::CheckListen(options.listen));
  if (options.heartbeat_timeout < absl::Milliseconds(100)) {
    return absl::InvalidArgumentError(
        "--heartbeat-timeout: expected 100ms or more");
  }
  if (!options.metrics_compat.empty() && options.metrics_compat != "vllm") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--metrics-compat: '", options.metrics_compat, "', expected vllm"));
  }
  if (options.api_keys.empty() != options.api_pepper.empty()) {
    return absl::InvalidArgumentError(
        "--api-keys and --api-pepper belong together; give both or none");
  }
  return absl::OkStatus();
}

GuardedGrpcPort::Options GrpcPortOptions(const GatewayOptions& options,
                                         bool has_keys) {
  GuardedGrpcPort::Options port;
  port.listen = options.listen.listen;
  port.tls = options.listen.tls;
  port.require_client_certificate = !has_keys;
  port.insecure_lab = options.listen.insecure_lab;
  port.connections = LimitsOf(options);
  return port;
}

HttpServerOptions HttpOptions(const GatewayOptions& options, bool has_keys) {
  HttpServerOptions server;
  server.listen = options.http_listen;
  server.tls = options.listen.tls;
  server.require_client_certificate = !has_keys;
  server.insecure_lab = options.listen.insecure_lab;
  server.connections = LimitsOf(options);
  return server;
}

absl::StatusOr<ModelCatalog> MakeModelCatalog(const GatewayOptions& options,
                                              const std::string& served) {
  ASSIGN_OR_RETURN(const std::vector<ModelAlias> aliases,
                   ParseList("--model-aliases", options.model_aliases, ',',
                             ParseModelAlias));
  ASSIGN_OR_RETURN(
      const std::vector<ModelPrices> prices,
      ParseList("--model-prices", options.model_prices, ';', ParseModelPrices));
  return ModelCatalog::Create(served, aliases, prices);
}

}  // namespace mesh::gateway
