// SPDX-License-Identifier: Apache-2.0
#include "cli/text_generator.h"

#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "attention-node/token_sink.h"
#include "core/status_macros.h"
#include "gateway/text_stream.h"

namespace mesh::cli {
namespace {

// Keeps what a step has given until the caller has turned it into text.
class StepSink final : public attention::TokenSink {
 public:
  void OnPromptLogprobs(std::span<const attention::PromptLogprob>) override {}
  void OnToken(const attention::EmittedToken& token) override {
    tokens_.push_back(token.token);
  }
  void OnFinished(attention::FinishReason reason,
                  const absl::Status& status) override {
    reason_ = reason;
    status_ = status;
  }

  std::vector<TokenId> TakeTokens() { return std::exchange(tokens_, {}); }
  const std::optional<attention::FinishReason>& Reason() const {
    return reason_;
  }
  const absl::Status& Outcome() const { return status_; }

 private:
  std::vector<TokenId> tokens_;
  std::optional<attention::FinishReason> reason_;
  absl::Status status_;
};

uint64_t DrawSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

// The flags laid over what the model recommends; greedy if it says nothing.
attention::SamplingParams Sampling(const model::GenerationConfig& recommended,
                                   const AnswerOptions& options) {
  attention::SamplingParams sampling;
  sampling.temperature = options.temperature.value_or(
      static_cast<float>(recommended.temperature.value_or(0.0)));
  sampling.top_p = options.top_p.value_or(
      static_cast<float>(recommended.top_p.value_or(1.0)));
  sampling.top_k = options.top_k.value_or(sampling.top_k);
  sampling.min_p = options.min_p.value_or(sampling.min_p);
  sampling.max_tokens = options.max_tokens;
  sampling.seed = options.seed.has_value() ? *options.seed : DrawSeed();
  return sampling;
}

AnswerPiece Append(gateway::TextDelta delta, int num_tokens, Answer* answer) {
  answer->reasoning += delta.reasoning;
  answer->text += delta.answer;
  answer->num_tokens += num_tokens;
  return {std::move(delta.reasoning), std::move(delta.answer), num_tokens};
}

}  // namespace

absl::StatusOr<TextModel> LoadTextModel(const std::string& model_dir,
                                        const std::string& template_name) {
  const std::string config_path = absl::StrCat(model_dir, "/config.json");
  std::error_code unreadable;
  if (!std::filesystem::exists(config_path, unreadable)) {
    return absl::NotFoundError(
        absl::StrCat(config_path, ": no such file; expected a model folder"));
  }
  auto tokenizer = gateway::Tokenizer::Load(model_dir);
  if (absl::IsNotFound(tokenizer.status())) {
    return absl::NotFoundError(
        absl::StrCat(tokenizer.status().message(),
                     ": without tokenizer files a model answers token ids "
                     "only; use `expertmesh score`"));
  }
  RETURN_IF_ERROR(tokenizer.status());
  ASSIGN_OR_RETURN(
      const gateway::ChatTemplate chat_template,
      template_name.empty()
          ? gateway::ChatTemplate::ForConfig((*tokenizer)->Config())
          : gateway::ChatTemplate::ByName(template_name));
  return TextModel{*std::move(tokenizer), chat_template};
}

TextGenerator::TextGenerator(std::unique_ptr<EmbeddedMesh> mesh,
                             TextModel text_model)
    : mesh_(std::move(mesh)), text_model_(std::move(text_model)) {}

std::string TextGenerator::Description() const {
  return absl::StrCat(mesh_->Checkpoint().Dir(), " on ",
                      mesh_->Kernels().Name(), " kernels");
}

absl::StatusOr<attention::Transcript> TextGenerator::MakeTranscript(
    std::vector<TokenId> prompt, const AnswerOptions& options) {
  attention::Transcript transcript;
  transcript.request = RequestId{++num_requests_};
  transcript.sampling = Sampling(mesh_->Checkpoint().Generation(), options);
  const attention::EngineModel& model = mesh_->EngineModel();
  const int room = model.max_positions - static_cast<int>(prompt.size());
  if (room <= 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the conversation has ", prompt.size(), " tokens, and the model's ",
        "context ends at ", model.max_positions, "; begin a new one"));
  }
  if (transcript.sampling.max_tokens == 0) {
    transcript.sampling.max_tokens = room;
  }
  transcript.prompt = std::move(prompt);
  transcript.numerics = model.numerics;
  transcript.model = model.digest;
  return transcript;
}

absl::StatusOr<Answer> TextGenerator::Generate(
    std::span<const gateway::ChatMessage> messages,
    const AnswerOptions& options,
    absl::FunctionRef<void(const AnswerPiece&)> emit,
    absl::FunctionRef<bool()> interrupted) {
  const gateway::RenderedPrompt rendered = text_model_.chat_template.Render(
      messages, {.thinking = !options.no_thinking});
  ASSIGN_OR_RETURN(std::vector<TokenId> prompt,
                   gateway::EncodePrompt(*text_model_.tokenizer, rendered));
  ASSIGN_OR_RETURN(attention::Transcript transcript,
                   MakeTranscript(std::move(prompt), options));
  ASSIGN_OR_RETURN(gateway::TextStream text,
                   gateway::TextStream::Create(
                       *text_model_.tokenizer,
                       {.starts_in_reasoning = rendered.starts_in_reasoning,
                        .stops = options.stops}));
  Answer result;
  result.num_prompt_tokens = static_cast<int>(transcript.prompt.size());
  const RequestId request = transcript.request;
  const auto sink = std::make_shared<StepSink>();
  RETURN_IF_ERROR(mesh_->Engine().Submit(std::move(transcript),
                                         absl::InfiniteFuture(), sink));
  bool stopped = false;
  for (bool more = true; more;) {
    more = mesh_->Engine().Step();
    for (const TokenId token : sink->TakeTokens()) {
      if (stopped) continue;
      gateway::TextDelta delta = text.Push(token);
      stopped = delta.stopped;
      emit(Append(std::move(delta), 1, &result));
    }
    if (stopped || interrupted()) mesh_->Engine().Cancel(request, 0);
  }
  emit(Append(text.Finish(), 0, &result));
  result.reason =
      stopped ? attention::FinishReason::kStop : sink->Reason().value();
  if (result.reason == attention::FinishReason::kFailed) {
    return sink->Outcome();
  }
  return result;
}

}  // namespace mesh::cli
