// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/chat_template.h"
#include "gateway/model_card.h"
#include "gateway/tokenizer.h"

namespace mesh::gateway {

// The model that a gateway serves, as far as text is concerned. Immutable.
struct ServedModel {
  ModelCard card;
  std::unique_ptr<const Tokenizer> tokenizer;
  ChatTemplate chat_template;
};

// Reads the small files of a model folder; no weights. `template_name` empty:
// the one that the model's own template is known as. Errors: those of
// ReadModelCard, Tokenizer::Load and ChatTemplate; kInvalidArgument if the
// tokenizer has more tokens than the model.
absl::StatusOr<ServedModel> LoadServedModel(const std::string& dir,
                                            const std::string& template_name);

}  // namespace mesh::gateway
