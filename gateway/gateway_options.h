// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/grpc_port/grpc_port.h"
#include "gateway/http/http_server.h"
#include "gateway/openai/model_catalog.h"
#include "service/flags.h"
#include "service/listen_options.h"

namespace mesh::gateway {

// An attention node that is known without a router, for tests.
struct KnownNode {
  std::string name;
  std::string address;
};

struct GatewayOptions {
  service::ListenOptions listen;
  std::string name = "gateway-0";
  std::string router_address;   // empty: only `attention_nodes`
  std::string model_dir;        // tokenizer and config; no weights
  std::string chat_template;    // empty: the model's own
  std::string model_aliases;    // ALIAS=MODEL[:thinking|:no-thinking],...
  std::string model_prices;     // MODEL=PROMPT,CACHED,COMPLETION;...
  std::string http_listen;      // host:port; empty: no HTTP
  int max_requests = 4096;      // at the same time; as many may wait
  int max_connections = 10000;  // of each port, as are the next two
  int max_connections_per_address = 100;
  int max_new_connections_per_address = 50;  // a second
  std::string api_keys;                      // empty: no keys
  std::string api_pepper;
  std::string metrics_compat;  // empty or "vllm"
  absl::Duration heartbeat_timeout = absl::Seconds(1);
  absl::Duration default_deadline = absl::Seconds(600);
  // How long a stream may be without any attention node.
  absl::Duration max_wait = absl::Seconds(60);
  std::vector<KnownNode> attention_nodes;
};

void AddGatewayFlags(service::Flags& flags, GatewayOptions* options);

// Errors: kInvalidArgument, the flag first; those of service::CheckListen.
absl::Status CheckGatewayOptions(const GatewayOptions& options);

// `has_keys`: clients are known by their keys; otherwise, where there is TLS,
// they need a certificate of the mesh's authority.
GuardedGrpcPort::Options GrpcPortOptions(const GatewayOptions& options,
                                         bool has_keys);
HttpServerOptions HttpOptions(const GatewayOptions& options, bool has_keys);

// Errors: those of ParseModelAlias, ParseModelPrices and ModelCatalog::Create,
// the flag first.
absl::StatusOr<ModelCatalog> MakeModelCatalog(const GatewayOptions& options,
                                              const std::string& served);

}  // namespace mesh::gateway
