// SPDX-License-Identifier: Apache-2.0
#include "gateway/served_model.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"

namespace mesh::gateway {

absl::StatusOr<ServedModel> LoadServedModel(const std::string& dir,
                                            const std::string& template_name) {
  ASSIGN_OR_RETURN(ModelCard card, ReadModelCard(dir));
  ASSIGN_OR_RETURN(std::unique_ptr<const Tokenizer> tokenizer,
                   Tokenizer::Load(dir));
  if (tokenizer->VocabularySize() > card.vocab_size) {
    return absl::InvalidArgumentError(
        absl::StrCat(dir, "/tokenizer.json: has ", tokenizer->VocabularySize(),
                     " tokens; config.json says vocab_size ", card.vocab_size));
  }
  ASSIGN_OR_RETURN(const ChatTemplate chat_template,
                   template_name.empty()
                       ? ChatTemplate::ForConfig(tokenizer->Config())
                       : ChatTemplate::ByName(template_name));
  return ServedModel{std::move(card), std::move(tokenizer), chat_template};
}

}  // namespace mesh::gateway
