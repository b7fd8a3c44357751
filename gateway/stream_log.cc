// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"

namespace mesh::gateway {

StreamLog::StreamLog(Request request) : request_(std::move(request)) {}

Submission StreamLog::NextSubmission(absl::Duration timeout) {
  ++attempt_;
  return {.request = request_.request,
          .attempt = attempt_,
          .prompt = request_.prompt,
          .sampling = request_.sampling,
          .identity = identity_,
          .emitted = emitted_,
          .timeout = timeout,
          .priority = request_.priority,
          .request_id = request_.request_id,
          .cache_salt = request_.cache_salt};
}

absl::Status StreamLog::Accept(StreamResult* result) {
  if (result->attempt != attempt_) {
    result->prompt_logprobs.clear();
    result->tokens.clear();
    result->finished.reset();
    return absl::OkStatus();
  }
  if (result->num_cached_tokens > static_cast<int>(request_.prompt.size())) {
    return absl::DataLossError(
        absl::StrCat(result->num_cached_tokens, " of ", request_.prompt.size(),
                     " prompt tokens were said to be cached"));
  }
  RETURN_IF_ERROR(AcceptPromptLogprobs(&result->prompt_logprobs));
  return AcceptTokens(&result->tokens);
}

absl::Status StreamLog::AcceptTokens(std::vector<EmittedToken>* tokens) {
  const int num_known = NumEmitted();
  int next = num_known;
  for (const EmittedToken& token : *tokens) {
    if (token.index < 0 || token.index > next ||
        token.index >= request_.sampling.max_tokens) {
      return absl::DataLossError(absl::StrCat(
          "token ", token.index, " came where ", next, " was expected"));
    }
    if (token.id < 0 || token.id >= request_.vocab_size) {
      return absl::DataLossError(absl::StrCat(
          "token ", token.index, " is no token of the vocabulary"));
    }
    if (token.index < num_known &&
        emitted_[static_cast<size_t>(token.index)] != token.id) {
      return absl::DataLossError(absl::StrCat(
          "token ", token.index, " differs from the one that was sent before"));
    }
    next = std::max(next, token.index + 1);
  }
  std::erase_if(*tokens, [this](const EmittedToken& token) {
    if (token.index != NumEmitted()) return true;
    emitted_.push_back(token.id);
    return false;
  });
  return absl::OkStatus();
}

absl::Status StreamLog::AcceptPromptLogprobs(
    std::vector<PromptLogprob>* logprobs) {
  int next = next_position_;
  for (const PromptLogprob& logprob : *logprobs) {
    if (logprob.position < 1 || logprob.position > next ||
        logprob.position >= static_cast<int>(request_.prompt.size())) {
      return absl::DataLossError(absl::StrCat("prompt logprob ",
                                              logprob.position, " came where ",
                                              next, " was expected"));
    }
    next = std::max(next, logprob.position + 1);
  }
  std::erase_if(*logprobs, [this](const PromptLogprob& logprob) {
    if (logprob.position != next_position_) return true;
    ++next_position_;
    return false;
  });
  return absl::OkStatus();
}

std::optional<FinishReason> StreamLog::Completion() const {
  if (emitted_.empty()) return std::nullopt;
  const auto contains_last = [this](const std::vector<TokenId>& ids) {
    return std::count(ids.begin(), ids.end(), emitted_.back()) > 0;
  };
  const Sampling& sampling = request_.sampling;
  if (contains_last(sampling.stop_token_ids) ||
      (!sampling.ignore_eos && contains_last(request_.eos_token_ids))) {
    return FinishReason::kStop;
  }
  if (NumEmitted() >= sampling.max_tokens) return FinishReason::kLength;
  return std::nullopt;
}

}  // namespace mesh::gateway
