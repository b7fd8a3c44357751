// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/attention_messages.h"

namespace mesh::gateway {

// The transcript of one stream: all that it needs to go on at another attention
// node with the same bytes. A token is committed when it stands here. Owned by
// one thread.
class StreamLog {
 public:
  struct Request {
    RequestId request;
    std::string request_id;  // for logs
    std::string cache_salt;
    std::vector<TokenId> prompt;
    Sampling sampling;
    int priority = 0;
    int vocab_size = 0;
    std::vector<TokenId> eos_token_ids;
  };

  explicit StreamLog(Request request);

  // Fixes what the stream runs on. Before the first submission.
  void SetIdentity(const ModelIdentity& identity) { identity_ = identity; }
  const ModelIdentity& Identity() const { return identity_; }

  // Begins the next attempt; results of earlier ones are worth nothing from
  // now on.
  Submission NextSubmission(absl::Duration timeout);

  // Leaves in `result` what is new, and commits it: nothing of an attempt that
  // is not the current one, no token or position that is known. Errors:
  // kDataLoss if something is missing between what is known and what came, or
  // differs from it, or is no token of the vocabulary, or more was cached than
  // there is; then nothing of the result counts.
  absl::Status Accept(StreamResult* result);

  // Why the stream is over by what it has emitted, if it is.
  std::optional<FinishReason> Completion() const;

  RequestId Id() const { return request_.request; }
  uint32_t Attempt() const { return attempt_; }
  int NumEmitted() const { return static_cast<int>(emitted_.size()); }

 private:
  absl::Status AcceptTokens(std::vector<EmittedToken>* tokens);
  absl::Status AcceptPromptLogprobs(std::vector<PromptLogprob>* logprobs);

  const Request request_;
  ModelIdentity identity_;
  uint32_t attempt_ = 0;  // 0: none yet
  std::vector<TokenId> emitted_;
  int next_position_ = 1;  // of prompt logprobs
};

}  // namespace mesh::gateway
