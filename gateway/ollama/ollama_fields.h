// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gateway/openai/request_limits.h"

namespace mesh::gateway {

// What the fields of Ollama's dialect may hold; docs/ollama.md says the same,
// and a test compares the two. What is not named here has the field and the
// range that OpenAI's dialect has: gateway/openai/request_limits.h.

inline constexpr IntField kNumCtxField{"num_ctx", 1, kMaxInt32};
// What is not positive sets no limit.
inline constexpr IntField kNumPredictField{"num_predict", -2, kMaxInt32};
inline constexpr RealField kRepeatPenaltyField{"repeat_penalty", 0, 10, true};

struct OllamaField {
  std::string name;      // with "options." or "messages[]." before it
  std::string accepted;  // types and ranges, as the documentation has them
  std::string effect;    // in words; empty: what the name says
};

// Every field of /api/chat and /api/generate that is known, in the order of
// the documentation.
std::vector<OllamaField> OllamaFields();

// Fields that only these values may have, since they would change the answer
// and are not served: null, false, 0, "", [] and {}.
std::vector<absl::string_view> OllamaUnsupportedFields();

}  // namespace mesh::gateway
