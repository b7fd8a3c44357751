// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "attention-node/transcript.h"
#include "core/ids.h"

namespace mesh::attention {

// A stream as its gateway knows it; every result names the attempt.
struct StreamKey {
  RequestId request;
  uint32_t choice = 0;
  uint32_t attempt = 0;

  friend auto operator<=>(const StreamKey&, const StreamKey&) = default;
};

struct StreamEnd {
  FinishReason reason = FinishReason::kFailed;
  absl::Status status;
};

// What one step made for one stream.
struct StreamResult {
  StreamKey key;
  int num_cached_tokens = 0;  // as TokenSink::OnAdmitted says
  std::vector<PromptLogprob> prompt_logprobs = {};
  std::vector<EmittedToken> tokens = {};
  std::optional<StreamEnd> end = std::nullopt;  // in the stream's last result
};

// What one step, or a few, made for one gateway. A stream may stand in it more
// than once, in order.
struct StepResults {
  int64_t step = 0;  // the last one
  std::vector<StreamResult> streams;
};

// A submission that was not accepted.
struct Refusal {
  StreamKey key;
  absl::Status status;
};

}  // namespace mesh::attention
