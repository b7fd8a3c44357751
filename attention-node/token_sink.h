// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "absl/status/status.h"
#include "attention-node/transcript.h"

namespace mesh::attention {

// Where a stream's results go. Called on the engine thread, without a lock, so
// an implementation hands over and returns; it may call Submit and Cancel.
class TokenSink {
 public:
  virtual ~TokenSink() = default;

  // Once, before all results: the stream has begun, and the rows of its first
  // `num_cached_tokens` prompt tokens were in the prefix cache. A stream that
  // ends while it waits is never admitted.
  virtual void OnAdmitted(int /*num_cached_tokens*/) {}

  // The next prompt tokens of a stream that wants prompt logprobs: positions
  // 1, 2, ... without gap or repeat, all before token 0. A resumed stream,
  // which has had them, gets none.
  virtual void OnPromptLogprobs(std::span<const PromptLogprob> logprobs) = 0;

  // Indices ascend by one, from the number of tokens that were submitted as
  // emitted.
  virtual void OnToken(const EmittedToken& token) = 0;

  // Once, and last. `status` is OK for kStop and kLength; kCancelled and
  // kDeadlineExceeded for the reasons of that name; the cause for kFailed.
  virtual void OnFinished(FinishReason reason, const absl::Status& status) = 0;
};

}  // namespace mesh::attention
