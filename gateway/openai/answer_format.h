// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gateway/answer_stream.h"
#include "gateway/openai/sampling_fields.h"
#include "gateway/openai/usage.h"
#include "gateway/tokenizer.h"

namespace mesh::gateway {

// What an answer says of itself, whatever the choice.
struct AnswerHead {
  std::string id;
  std::string model;    // as the client called it
  int64_t created = 0;  // seconds since 1970
};

// The answer to one request in one dialect's words: either as events, one
// `data:` line each, or kept and then written whole. Choices count from 0;
// calls for one choice come in the order Start, Delta ..., Finish. Owned by
// one thread.
class AnswerFormat {
 public:
  struct Options {
    AnswerHead head;
    int num_choices = 1;
    int choices_per_prompt = 1;
    StreamChoices stream = {};
    bool logprobs = false;
    std::optional<Prices> prices = {};
    const Tokenizer* tokenizer = nullptr;  // outlives this
  };

  explicit AnswerFormat(Options options);
  virtual ~AnswerFormat() = default;

  // What the answer can be reproduced with, shortened; of the first choice
  // that starts.
  void SetFingerprint(const ModelIdentity& identity);
  void SetPromptTokens(int choice, int num_prompt_tokens);

  // Events. What has nothing to say appends nothing.
  virtual void AppendStart(int choice, std::string* out) = 0;
  virtual void AppendDelta(int choice, const AnswerDelta& delta,
                           std::string* out) = 0;
  virtual void AppendFinish(int choice, std::string* out) = 0;
  // After all choices: usage if it was asked for, and the end of the stream.
  void AppendEnd(std::string* out) const;
  // Instead of what is still to come.
  static void AppendError(absl::string_view error_body, std::string* out);

  // Whole.
  virtual void Keep(int choice, const AnswerDelta& delta) = 0;
  std::string Body() const;

  // Call it with what Delta or Keep is given, before.
  void CountTokens(int choice, const AnswerDelta& delta);
  // Call it before AppendFinish and Body.
  void NoteEnd(int choice, FinishReason reason, const Usage& usage);

 protected:
  // One event of one choice; `fields` are those behind "index".
  void AppendEvent(int choice, absl::string_view fields,
                   std::string* out) const;
  virtual absl::string_view EventObject() const = 0;
  virtual absl::string_view BodyObject() const = 0;
  // The fields of a choice behind "index", whole.
  virtual void AppendChoice(int choice, std::string* out) const = 0;

  const Options& GetOptions() const { return options_; }
  // "stop" or "length".
  absl::string_view FinishReasonOf(int choice) const;

 private:
  void AppendHead(absl::string_view object, std::string* out) const;
  // Of all choices; a prompt counts once.
  Usage TotalUsage() const;

  const Options options_;
  std::string fingerprint_;
  std::vector<Usage> usages_;  // of the choices
  std::vector<FinishReason> reasons_;
};

}  // namespace mesh::gateway
