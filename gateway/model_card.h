// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/ids.h"

namespace mesh::gateway {

// What a gateway needs to know of a model besides its tokenizer.
struct ModelCard {
  std::string name;  // of the model's folder
  int vocab_size = 0;
  int max_positions = 0;  // tokens of prompt and answer together
  std::vector<TokenId> eos_token_ids;
  // What the model recommends, if it does.
  std::optional<float> temperature;  // 0 to 2
  std::optional<float> top_p;        // more than 0, at most 1
};

// Reads `dir`/config.json and, if it is there, `dir`/generation_config.json.
// Errors: kNotFound if there is no model; kInvalidArgument for a field that is
// missing or out of range, with file and key; those of ReadFile.
absl::StatusOr<ModelCard> ReadModelCard(const std::string& dir);

}  // namespace mesh::gateway
