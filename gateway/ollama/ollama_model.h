// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/served_model.h"

namespace mesh::gateway {

// What Ollama's clients show of a model and nobody here needs. What is not
// known is empty or 0.
struct OllamaModelFacts {
  std::string family;        // "deepseek_v3"
  std::string quantization;  // "BF16", "FP8"
  int64_t num_bytes = 0;     // of the weights that lie in the folder
  absl::Time modified = absl::UnixEpoch();
};

// From a model folder's config.json and the sizes of its files. Errors: those
// of ReadFile; kInvalidArgument if it is not a JSON object.
absl::StatusOr<OllamaModelFacts> ReadOllamaModelFacts(const std::string& dir);

// How a model is called there: with ":latest" if it has no tag.
std::string OllamaName(absl::string_view name);
// The name without ":latest", if it ends so.
absl::string_view WithoutLatestTag(absl::string_view name);

// An item of /api/tags, without its end: name, model, modified_at, size,
// digest, details. `digest`: hexadecimal.
void AppendOllamaModel(absl::string_view name, const OllamaModelFacts& facts,
                       absl::string_view digest, std::string* out);

// The body of /api/show.
std::string OllamaShowBody(const ServedModel& model,
                           const OllamaModelFacts& facts, int max_positions);

}  // namespace mesh::gateway
