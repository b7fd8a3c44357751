// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "attention-node/transcript.h"
#include "cli/answer_source.h"
#include "cli/embedded_mesh.h"
#include "gateway/chat_template.h"
#include "gateway/tokenizer.h"

namespace mesh::cli {

// How a model's text becomes token ids and back.
struct TextModel {
  std::unique_ptr<const gateway::Tokenizer> tokenizer;
  gateway::ChatTemplate chat_template;
};

// Reads a model folder's tokenizer files, which takes moments: so what is wrong
// with them is said before the weights are read. `template_name` empty: the one
// that the model's own template is known as. Errors: kNotFound if there is no
// model, or none with tokenizer files, with what it can still do; those of
// Tokenizer::Load and ChatTemplate.
absl::StatusOr<TextModel> LoadTextModel(const std::string& model_dir,
                                        const std::string& template_name);

// From messages to text on an embedded mesh: template, tokenizer, engine, text
// stream. Runs the engine on the calling thread. Owned by that thread.
class TextGenerator final : public AnswerSource {
 public:
  TextGenerator(std::unique_ptr<EmbeddedMesh> mesh, TextModel text_model);

  std::string Description() const override;

  // Errors: those of EncodePrompt and Engine::Submit.
  absl::StatusOr<Answer> Generate(
      std::span<const gateway::ChatMessage> messages,
      const AnswerOptions& options,
      absl::FunctionRef<void(const AnswerPiece&)> emit,
      absl::FunctionRef<bool()> interrupted) override;

 private:
  absl::StatusOr<attention::Transcript> MakeTranscript(
      std::vector<TokenId> prompt, const AnswerOptions& options);

  const std::unique_ptr<EmbeddedMesh> mesh_;
  const TextModel text_model_;
  uint64_t num_requests_ = 0;
};

}  // namespace mesh::cli
