// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_handlers.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "gateway/ollama/ollama_exchange.h"
#include "gateway/openai/json_text.h"

namespace mesh::gateway {
namespace {

constexpr char kRequestIdHeader[] = "x-request-id";
constexpr char kIsRunning[] = "Ollama is running";
// Models stay; Ollama's own word for it lies as far away.
constexpr char kNever[] = "9999-12-31T23:59:59Z";
constexpr char kOneModel[] =
    "this gateway serves one model, which its operator chooses: it pulls, "
    "pushes, creates, copies and deletes none";
constexpr char kNoEmbeddings[] =
    "this gateway's model writes text and gives no embeddings; ask "
    "/api/generate or /api/chat";

std::string DrawRequestId() {
  std::random_device device;
  return absl::StrFormat("req-%08x%08x", device(), device());
}

// The client's name for the request if it can be one. Requests of the same
// name are common, so it is not what the request is called here.
HttpHeaders IdHeaders(const HttpRequest& request, const std::string& drawn) {
  const absl::string_view given = FindHeader(request.headers, kRequestIdHeader);
  const bool is_good = !given.empty() && CheckRequestId(given).ok();
  return {{kRequestIdHeader, is_good ? std::string(given) : drawn}};
}

HttpResponse JsonResponse(std::string body, const HttpHeaders& headers) {
  HttpResponse response;
  response.headers = {{"Content-Type", "application/json"}};
  response.headers.insert(response.headers.end(), headers.begin(),
                          headers.end());
  response.body = std::move(body);
  return response;
}

}  // namespace

OllamaHandlers::OllamaHandlers(const GenerationContext& context,
                               Options options)
    : context_(context), options_(std::move(options)) {}

void OllamaHandlers::AddRoutes(HttpRoutes& routes) {
  routes.AddErrors("/api/", OllamaErrorResponse);
  routes.Add("GET", "/", [](const HttpRequest&, const Send& send) {
    send->Respond({.status = 200,
                   .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
                   .body = kIsRunning});
  });
  routes.Add("GET", "/api/version",
             [this](const HttpRequest&, const Send& send) {
               std::string body = R"({"version":)";
               AppendJsonString(options_.version, &body);
               send->Respond(JsonResponse(body + "}", {}));
             });
  const auto at_once = [this](std::string (OllamaHandlers::*body)(const Tenant&)
                                  const) {
    return Met([this, body](const HttpRequest&, const Caller& caller,
                            const Send& send) {
      send->Respond(
          JsonResponse((this->*body)(*caller.tenant), caller.headers));
      return absl::OkStatus();
    });
  };
  routes.Add("GET", "/api/tags", at_once(&OllamaHandlers::Tags));
  routes.Add("GET", "/api/ps", at_once(&OllamaHandlers::Running));
  routes.AddUndeclaredJson(
      "/api/show",
      Met([this](const HttpRequest& request, const Caller& caller,
                 const Send& send) { return Show(request, caller, send); }));
  const auto generating = [this](auto parse) {
    return Met([this, parse](const HttpRequest& request, const Caller& caller,
                             const Send& send) -> absl::Status {
      ASSIGN_OR_RETURN(OllamaRequest parsed, parse(request.body));
      return Generate(std::move(parsed), caller, send);
    });
  };
  routes.AddUndeclaredJson("/api/chat", generating(ParseOllamaChat));
  routes.AddUndeclaredJson("/api/generate", generating(ParseOllamaGenerate));
  AddRefusals(routes);
}

void OllamaHandlers::AddRefusals(HttpRoutes& routes) {
  const auto refuse = [&routes](const char* method, const char* path,
                                const char* why) {
    routes.Add(method, path, [why](const HttpRequest&, const Send& send) {
      send->Respond(OllamaErrorResponse(absl::UnimplementedError(why)));
    });
  };
  for (const char* path :
       {"/api/pull", "/api/push", "/api/create", "/api/copy"}) {
    refuse("POST", path, kOneModel);
  }
  refuse("DELETE", "/api/delete", kOneModel);
  refuse("POST", "/api/embed", kNoEmbeddings);
  refuse("POST", "/api/embeddings", kNoEmbeddings);
}

HttpRoutes::Function OllamaHandlers::Met(Answer answer) const {
  return [this, answer = std::move(answer)](const HttpRequest& request,
                                            const Send& send) {
    Caller caller;
    caller.request_id = DrawRequestId();
    caller.headers = IdHeaders(request, caller.request_id);
    caller.came = context_.clock.Now();
    auto tenant = TenantOf(request);
    absl::Status status = tenant.status();
    if (tenant.ok()) {
      caller.tenant = *std::move(tenant);
      status = answer(request, caller, send);
    }
    if (status.ok()) return;
    HttpResponse response = OllamaErrorResponse(status);
    response.headers.insert(response.headers.end(), caller.headers.begin(),
                            caller.headers.end());
    send->Respond(std::move(response));
  };
}

absl::StatusOr<std::shared_ptr<const Tenant>> OllamaHandlers::TenantOf(
    const HttpRequest& request) const {
  if (!options_.authenticate) return AnonymousTenant();
  return options_.authenticate(request);
}

absl::Status OllamaHandlers::Generate(OllamaRequest request,
                                      const Caller& caller, const Send& send) {
  GenerateInput& input = request.input;
  ASSIGN_OR_RETURN(const ModelCatalog::Entry entry,
                   FindModel(input.model, *caller.tenant));
  OllamaAnswer answer({.route = request.route,
                       .model = std::exchange(input.model, entry.model),
                       .hides_thinking = request.hides_thinking,
                       .logprobs = input.logprobs.has_value(),
                       .tokenizer = context_.model.tokenizer.get(),
                       .asked = caller.came});
  if (request.only_loads) {
    send->Respond(JsonResponse(
        answer.LoadBody(request.unloads ? "unload" : "load", caller.came),
        caller.headers));
    return absl::OkStatus();
  }
  if (!input.thinking.has_value()) input.thinking = entry.thinking;
  input.request_id = caller.request_id;
  OllamaExchange::Start(
      context_,
      {.generation = {.api = "ollama",
                      .tenant = caller.tenant,
                      .deadline = caller.came + context_.default_deadline},
       .stream = request.stream,
       .headers = caller.headers},
      std::move(input), std::move(answer), tasks_, send);
  return absl::OkStatus();
}

absl::Status OllamaHandlers::Show(const HttpRequest& request,
                                  const Caller& caller,
                                  const Send& send) const {
  ASSIGN_OR_RETURN(const std::string name, ParseOllamaShow(request.body));
  RETURN_IF_ERROR(FindModel(name, *caller.tenant).status());
  send->Respond(JsonResponse(
      OllamaShowBody(context_.model, options_.facts, MaxPositions()),
      caller.headers));
  return absl::OkStatus();
}

std::string OllamaHandlers::Tags(const Tenant& tenant) const {
  std::string body = R"({"models":[)";
  bool is_first = true;
  for (const ModelCatalog::Entry& entry : options_.catalog.List(tenant)) {
    if (!std::exchange(is_first, false)) body.push_back(',');
    AppendOllamaModel(entry.name, options_.facts, Digest(), &body);
    body.push_back('}');
  }
  return body + "]}";
}

// The served model, once it is ready; its other names say nothing new.
std::string OllamaHandlers::Running(const Tenant& tenant) const {
  std::string body = R"({"models":[)";
  const std::string& name = context_.model.card.name;
  if (context_.streams.GetCounts().nodes > 0 &&
      options_.catalog.Find(name, tenant).ok()) {
    AppendOllamaModel(name, options_.facts, Digest(), &body);
    absl::StrAppend(&body, R"(,"expires_at":")", kNever,
                    R"(","size_vram":0,"context_length":)", MaxPositions(),
                    "}");
  }
  return body + "]}";
}

absl::StatusOr<ModelCatalog::Entry> OllamaHandlers::FindModel(
    const std::string& name, const Tenant& tenant) const {
  auto entry = options_.catalog.Find(name, tenant);
  if (entry.ok()) return entry;
  const absl::string_view untagged = WithoutLatestTag(name);
  auto other = options_.catalog.Find(untagged, tenant);
  return other.ok() ? other : entry;
}

std::string OllamaHandlers::Digest() const {
  const std::optional<ModelIdentity> identity = context_.streams.Identity();
  return identity.has_value() ? identity->model.ToHex() : "";
}

int OllamaHandlers::MaxPositions() const {
  const int most = context_.model.card.max_positions;
  return std::min(most, context_.streams.MaxPositions().value_or(most));
}

}  // namespace mesh::gateway
