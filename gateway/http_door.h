// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/admission/idempotency_store.h"
#include "gateway/admission/tenant_registry.h"
#include "gateway/gateway_metrics.h"
#include "gateway/generation.h"
#include "gateway/http/http_server.h"
#include "gateway/http/responder.h"
#include "gateway/http_routes.h"
#include "gateway/ollama/ollama_handlers.h"
#include "gateway/openai/model_catalog.h"
#include "gateway/openai/openai_handlers.h"
#include "gateway/task_thread.h"

namespace mesh::gateway {

// The gateway over HTTP: the dialects' routes, /metrics, and before them the
// Idempotency-Key. Its threads are the server's and those of the dialects.
class HttpDoor final : private HttpHandler {
 public:
  struct Options {
    HttpServerOptions server;
    ModelCatalog catalog;
    OllamaModelFacts facts;
    std::string version;
    std::function<bool()> is_ready;
    std::function<std::string()> metrics_text;
  };

  // What `context` refers to, and `tenants`, outlive the door. Errors: those of
  // HttpServer::Start.
  static absl::StatusOr<std::unique_ptr<HttpDoor>> Start(
      Options options, const GenerationContext& context,
      TenantRegistry& tenants);
  // After Stop(), once all generations are over.
  ~HttpDoor() override;

  const std::string& Address() const { return server_->Address(); }
  // Takes no more requests; returns when answers have been sent, or at `limit`.
  void Drain(absl::Duration limit) { server_->Drain(limit); }
  // Cuts what is still connected: generations end as if their clients had gone.
  void Stop() { server_->Stop(); }
  // Every 100 ms or so.
  void Tick() { store_.Tick(); }
  void Export(GatewayMetrics& metrics) const;

 private:
  HttpDoor(Options options, const GenerationContext& context,
           TenantRegistry& tenants);

  void Handle(HttpRequest request,
              std::shared_ptr<Responder> responder) override;
  absl::StatusOr<std::shared_ptr<Responder>> OpenRecord(
      const HttpRequest& request, std::shared_ptr<Responder> responder);

  // Bounded in number, as labels must be.
  std::string RouteOf(absl::string_view path) const;

  const Options options_;
  GatewayMetrics& metrics_;
  TenantRegistry& tenants_;
  IdempotencyStore store_;
  TaskThread tasks_;  // of the store
  OpenAiHandlers openai_;
  OllamaHandlers ollama_;
  HttpRoutes routes_;
  std::unique_ptr<HttpServer> server_;  // last: it calls the others
};

}  // namespace mesh::gateway
