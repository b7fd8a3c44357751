// SPDX-License-Identifier: Apache-2.0
#include "gateway/http_door.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/counted_responder.h"
#include "gateway/openai/error_response.h"

namespace mesh::gateway {
namespace {

constexpr char kIdempotencyKey[] = "Idempotency-Key";

absl::StatusOr<std::shared_ptr<const Tenant>> TenantOf(
    TenantRegistry& tenants, const HttpRequest& request) {
  return tenants.Authenticate(AuthorizationOf(request.headers), request.peer);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpDoor>> HttpDoor::Start(
    Options options, const GenerationContext& context,
    TenantRegistry& tenants) {
  std::unique_ptr<HttpDoor> door(
      new HttpDoor(std::move(options), context, tenants));
  ASSIGN_OR_RETURN(door->server_, HttpServer::Start(door->options_.server,
                                                    *door, context.clock));
  return door;
}

HttpDoor::HttpDoor(Options options, const GenerationContext& context,
                   TenantRegistry& tenants)
    : options_(std::move(options)),
      metrics_(context.metrics),
      tenants_(tenants),
      store_(
          {},
          [this](std::function<void()> task) { tasks_.Post(std::move(task)); },
          context.clock),
      openai_(context, {.catalog = options_.catalog,
                        .version = options_.version,
                        .started = context.clock.Now(),
                        .authenticate =
                            [this](const HttpRequest& request) {
                              return TenantOf(tenants_, request);
                            },
                        .is_ready = options_.is_ready}),
      ollama_(context, {.catalog = options_.catalog,
                        .facts = options_.facts,
                        .version = options_.version,
                        .authenticate =
                            [this](const HttpRequest& request) {
                              return TenantOf(tenants_, request);
                            }}),
      routes_([](const absl::Status& error) { return ErrorResponse(error); }) {
  openai_.AddRoutes(routes_);
  ollama_.AddRoutes(routes_);
  routes_.Add(
      "GET", "/metrics",
      [this](const HttpRequest& request, const std::shared_ptr<Responder>& to) {
        const absl::Status known = TenantOf(tenants_, request).status();
        if (!known.ok()) {
          to->Respond(ErrorResponse(known));
          return;
        }
        to->Respond({.status = 200,
                     .headers = {{"Content-Type",
                                  "text/plain; version=0.0.4; "
                                  "charset=utf-8"}},
                     .body = options_.metrics_text()});
      });
}

HttpDoor::~HttpDoor() = default;

void HttpDoor::Handle(HttpRequest request,
                      std::shared_ptr<Responder> responder) {
  responder = std::make_shared<CountedResponder>(
      std::move(responder),
      [&metrics = metrics_, route = RouteOf(request.path)](int status) {
        metrics.CountResponse("http", route, absl::StrCat(status));
      });
  if (!FindHeader(request.headers, kIdempotencyKey).empty()) {
    auto record = OpenRecord(request, responder);
    if (!record.ok()) {
      responder->Respond(routes_.WriteError(request.path, record.status()));
      return;
    }
    if (*record == nullptr) return;  // an earlier request answers
    responder = *std::move(record);
  }
  routes_.Handle(std::move(request), std::move(responder));
}

std::string HttpDoor::RouteOf(absl::string_view path) const {
  const absl::string_view pattern = routes_.PatternOf(path);
  return std::string(pattern.empty() ? "unknown" : pattern);
}

absl::StatusOr<std::shared_ptr<Responder>> HttpDoor::OpenRecord(
    const HttpRequest& request, std::shared_ptr<Responder> responder) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tenant> tenant,
                   TenantOf(tenants_, request));
  return store_.Open(request, tenant->name, std::move(responder));
}

void HttpDoor::Export(GatewayMetrics& metrics) const {
  const AcceptCounters& accepted = server_->Accepted();
  const HttpCounters& counters = server_->Counters();
  const std::pair<const char*, uint64_t> totals[] = {
      {"accepted", accepted.accepted},
      {"refused_total", accepted.refused_total},
      {"refused_per_address", accepted.refused_per_address},
      {"refused_rate", accepted.refused_rate},
      {"refused_descriptors", accepted.refused_descriptors},
      {"malformed", counters.refused},
      {"timed_out", counters.timed_out},
      {"disconnected", counters.disconnects},
      {"slow_reader", counters.slow_readers},
      {"overloaded", counters.overloaded}};
  for (const auto& [what, total] : totals) {
    metrics.SetConnections("http", what, total);
  }
  const IdempotencyStore::Stats kept = store_.GetStats();
  metrics.SetIdempotent("recorded", kept.num_recorded);
  metrics.SetIdempotent("replayed", kept.num_replayed);
  metrics.SetIdempotent("joined", kept.num_joined);
  metrics.SetIdempotent("mismatch", kept.num_mismatches);
}

}  // namespace mesh::gateway
