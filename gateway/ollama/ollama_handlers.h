// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/generation.h"
#include "gateway/http_routes.h"
#include "gateway/ollama/ollama_answer.h"
#include "gateway/ollama/ollama_model.h"
#include "gateway/ollama/ollama_request.h"
#include "gateway/openai/model_catalog.h"
#include "gateway/task_thread.h"

namespace mesh::gateway {

// What Ollama's clients find at this gateway: docs/ollama.md. Thread-safe.
class OllamaHandlers {
 public:
  struct Options {
    ModelCatalog catalog;
    OllamaModelFacts facts;  // of the model that there is
    std::string version;
    // Whom a request is from. Empty: nobody is asked.
    std::function<absl::StatusOr<std::shared_ptr<const Tenant>>(
        const HttpRequest&)>
        authenticate = {};
  };

  // What `context` refers to outlives this; this outlives the server that
  // calls the routes, and is destroyed once no request runs.
  OllamaHandlers(const GenerationContext& context, Options options);

  // Also how errors are said under "/api/".
  void AddRoutes(HttpRoutes& routes);

 private:
  using Send = std::shared_ptr<Responder>;
  // What is known of a request before its body is read.
  struct Caller {
    std::shared_ptr<const Tenant> tenant;
    std::string request_id;
    HttpHeaders headers;  // of the answer
    absl::Time came;
  };
  // Answers, now or later; an error is answered by who calls it.
  using Answer = std::function<absl::Status(const HttpRequest&, const Caller&,
                                            const Send&)>;

  // Greets the caller, and says what goes wrong at once.
  HttpRoutes::Function Met(Answer answer) const;
  absl::StatusOr<std::shared_ptr<const Tenant>> TenantOf(
      const HttpRequest& request) const;

  absl::Status Generate(OllamaRequest request, const Caller& caller,
                        const Send& send);
  absl::Status Show(const HttpRequest& request, const Caller& caller,
                    const Send& send) const;
  std::string Tags(const Tenant& tenant) const;
  std::string Running(const Tenant& tenant) const;
  void AddRefusals(HttpRoutes& routes);

  // The name may have the tag that every model here has.
  absl::StatusOr<ModelCatalog::Entry> FindModel(const std::string& name,
                                                const Tenant& tenant) const;
  std::string Digest() const;
  int MaxPositions() const;

  const GenerationContext context_;
  const Options options_;
  TaskThread tasks_;  // last: what it runs uses the others
};

}  // namespace mesh::gateway
