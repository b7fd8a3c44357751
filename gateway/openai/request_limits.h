// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/strings/string_view.h"
#include "gateway/generation_request.h"
#include "gateway/strict_json.h"

namespace mesh::gateway {

// What the fields of OpenAI's dialect may hold; docs/api.md says the same, and
// a test compares the two.

struct IntField {
  absl::string_view name;
  int64_t least;
  int64_t most;
};

struct RealField {
  absl::string_view name;
  double least;
  double most;
  bool above_least = false;  // `least` itself is outside
};

struct TextField {
  absl::string_view name;
  size_t max_bytes;
  size_t min_bytes = 1;
};

inline constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();

inline constexpr TextField kModelField{"model", 256};
inline constexpr TextField kUserField{"user", 512, 0};
inline constexpr TextField kCacheSaltField{"cache_salt", kMaxCacheSaltBytes};
inline constexpr TextField kRequestIdField{"request_id", kMaxRequestIdBytes};
inline constexpr IntField kMaxTokensField{"max_tokens", 1, kMaxInt32};
inline constexpr IntField kMaxCompletionTokensField{"max_completion_tokens", 1,
                                                    kMaxInt32};
inline constexpr IntField kNField{"n", 1, 8};
inline constexpr IntField kTopLogprobsField{"top_logprobs", 0, kMaxLogprobs};
inline constexpr IntField kCompletionLogprobsField{"logprobs", 0, kMaxLogprobs};
inline constexpr IntField kTopKField{"top_k", -1, kMaxInt32};
inline constexpr IntField kPriorityField{"priority", 0, kMaxPriority};
inline constexpr RealField kTemperatureField{"temperature", 0, 2};
inline constexpr RealField kTopPField{"top_p", 0, 1, true};
inline constexpr RealField kMinPField{"min_p", 0, 1};
inline constexpr RealField kPresencePenaltyField{"presence_penalty", -2, 2};
inline constexpr RealField kFrequencyPenaltyField{"frequency_penalty", -2, 2};
inline constexpr RealField kRepetitionPenaltyField{"repetition_penalty", 0, 10,
                                                   true};
inline constexpr RealField kLogitBiasValue{"logit_bias", -100, 100};

inline constexpr size_t kMaxChatMessages = 1024;
inline constexpr size_t kMaxContentParts = 64;
inline constexpr size_t kMaxLogitBiasEntries = 300;
inline constexpr size_t kMaxStopTokenIds = 64;
inline constexpr size_t kMaxMetadataEntries = 16;
inline constexpr size_t kMaxMetadataKeyBytes = 64;
inline constexpr size_t kMaxMetadataValueBytes = 512;
// Of a completion: prompts times n.
inline constexpr size_t kMaxChoices = 64;
// As many as the longest text can have.
inline constexpr size_t kMaxTokenIds = kMaxInputBytes;
inline constexpr uint32_t kDefaultCompletionTokens = 16;

// Room for a full logit_bias.
inline constexpr StrictJsonLimits kRequestJsonLimits{.max_keys = 320};

}  // namespace mesh::gateway
