// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/generation.h"
#include "gateway/http_routes.h"
#include "gateway/openai/completion_answer.h"
#include "gateway/openai/exchange.h"
#include "gateway/openai/model_answers.h"
#include "gateway/openai/model_catalog.h"
#include "gateway/task_thread.h"

namespace mesh::gateway {

// What OpenAI's and DeepSeek's clients, and those of vLLM's tokenizer routes,
// find at this gateway; docs/api.md has the list. Thread-safe.
class OpenAiHandlers {
 public:
  struct Options {
    ModelCatalog catalog;
    std::string version;
    absl::Time started;  // "created" of the models
    // Whom a request is from. Empty: nobody is asked.
    std::function<absl::StatusOr<std::shared_ptr<const Tenant>>(
        const HttpRequest&)>
        authenticate = {};
    // Whether a request would be taken now. Empty: if there is a node.
    std::function<bool()> is_ready = {};
  };

  // What `context` refers to outlives this; this outlives the server that
  // calls the routes, and is destroyed once no request runs.
  OpenAiHandlers(const GenerationContext& context, Options options);

  void AddRoutes(HttpRoutes& routes);

 private:
  using Send = std::shared_ptr<Responder>;
  // What is known of a request before its body is read.
  struct Caller {
    std::shared_ptr<const Tenant> tenant;
    HttpHeaders headers;  // of the answer
    absl::Time deadline;
  };
  using Answer = std::function<absl::StatusOr<std::string>(const HttpRequest&,
                                                           const Tenant&)>;

  absl::StatusOr<Caller> MeetCaller(const HttpRequest& request) const;
  // A route that answers at once, with a JSON body.
  HttpRoutes::Function AtOnce(Answer answer) const;
  // A route that generates: errors before the generation are answered.
  HttpRoutes::Function Generating(absl::Status (OpenAiHandlers::*start)(
      const HttpRequest&, const Caller&, const Send&));

  absl::Status StartChat(const HttpRequest& request, const Caller& caller,
                         const Send& send);
  absl::Status StartCompletion(const HttpRequest& request, const Caller& caller,
                               const Send& send);
  void AddProbes(HttpRoutes& routes);

  // Puts the served model's name into `input`, and what an alias means.
  absl::StatusOr<ModelCatalog::Entry> Resolve(const Tenant& tenant,
                                              GenerateInput* input) const;
  Exchange::Options ExchangeOptionsOf(const Caller& caller,
                                      const StreamChoices& stream) const;
  // Every token id is one of the model's.
  absl::Status CheckPrompts(const std::vector<PromptInput>& prompts) const;
  absl::StatusOr<Echo> EchoOf(const PromptInput& prompt) const;
  bool IsReady() const;

  const GenerationContext context_;
  const Options options_;
  const ModelAnswers answers_;
  TaskThread tasks_;  // last: what it runs uses the others
};

}  // namespace mesh::gateway
