// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/answer_stream.h"
#include "gateway/generation.h"
#include "gateway/http/http_message.h"
#include "gateway/ollama/ollama_request.h"
#include "gateway/tokenizer.h"

namespace mesh::gateway {

// The answer to one request in Ollama's words: either as lines of JSON, or kept
// and then written whole. Owned by one thread.
class OllamaAnswer {
 public:
  struct Options {
    OllamaRoute route = OllamaRoute::kChat;
    std::string model;  // as the client called it
    bool hides_thinking = false;
    bool logprobs = false;
    const Tokenizer* tokenizer = nullptr;  // outlives this
    absl::Time asked;
  };

  explicit OllamaAnswer(Options options);

  // The prompt is being read.
  void NoteStart(absl::Time now) { started_ = now; }

  // A line; nothing if there is nothing to say.
  void AppendDelta(const AnswerDelta& delta, absl::Time now, std::string* out);
  // The last line. REQUIRES: end.status.ok().
  void AppendEnd(const AnswerEnd& end, absl::Time now, std::string* out) const;
  // Instead of what is still to come.
  static void AppendError(const absl::Status& status, std::string* out);

  // Whole.
  void Keep(const AnswerDelta& delta, absl::Time now);
  // REQUIRES: end.status.ok().
  std::string Body(const AnswerEnd& end, absl::Time now) const;

  // For a request that asks nothing: "load" or "unload".
  std::string LoadBody(absl::string_view done_reason, absl::Time now) const;

 private:
  void NoteTokens(const AnswerDelta& delta, absl::Time now);
  std::string LogprobsOf(const AnswerDelta& delta) const;
  void AppendLine(absl::Time now, absl::string_view text,
                  absl::string_view thinking, absl::string_view logprobs,
                  std::string* out) const;
  void AppendDone(absl::string_view reason, std::string* out) const;
  void AppendCounts(const AnswerUsage& usage, absl::Time now,
                    std::string* out) const;

  const Options options_;
  std::optional<absl::Time> started_;
  std::optional<absl::Time> first_token_;
  absl::Time last_token_;
  std::string text_;  // kept
  std::string thinking_;
  std::string logprobs_;
};

// {"error": "..."} with the status of HTTP that OpenAI's clients get. What is
// our own mistake says no more than that. REQUIRES: !status.ok().
HttpResponse OllamaErrorResponse(const absl::Status& status);

}  // namespace mesh::gateway
