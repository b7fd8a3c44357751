// SPDX-License-Identifier: Apache-2.0
#include "gateway/answer_stream.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/status_macros.h"
#include "gateway/prompt_builder.h"

namespace mesh::gateway {
namespace {

template <typename T>
void MoveAppend(std::vector<T> from, std::vector<T>* to) {
  to->insert(to->end(), std::make_move_iterator(from.begin()),
             std::make_move_iterator(from.end()));
}

template <typename T>
size_t BytesOf(const std::vector<T>& tokens) {
  size_t num_bytes = tokens.size() * sizeof(T);
  for (const T& token : tokens) {
    num_bytes += token.top.size() * sizeof(TokenLogprob);
  }
  return num_bytes;
}

}  // namespace

size_t AnswerDelta::NumBytes() const {
  return text.size() + reasoning.size() + BytesOf(tokens) +
         BytesOf(prompt_tokens);
}

void AnswerDelta::Append(AnswerDelta delta) {
  text += delta.text;
  reasoning += delta.reasoning;
  if (delta.num_thought_tokens > 0) {
    num_thought_tokens = tokens.size() + delta.num_thought_tokens;
  }
  MoveAppend(std::move(delta.tokens), &tokens);
  MoveAppend(std::move(delta.prompt_tokens), &prompt_tokens);
  num_cached_tokens = std::max(num_cached_tokens, delta.num_cached_tokens);
}

absl::StatusOr<AnswerStream> AnswerStream::Create(
    const Tokenizer& tokenizer, const GenerationRequest& request) {
  std::optional<TextStream> text;
  if (request.wants_text) {
    auto created = TextStream::Create(
        tokenizer, {.starts_in_reasoning = request.starts_in_reasoning,
                    .stops = request.stops});
    RETURN_IF_ERROR(created.status());
    text.emplace(*std::move(created));
  }
  return AnswerStream(std::move(text), tokenizer.IdOf(kEndThinkMarker),
                      request.starts_in_reasoning);
}

AnswerStream::AnswerStream(std::optional<TextStream> text,
                           std::optional<TokenId> end_think,
                           bool starts_in_reasoning)
    : text_(std::move(text)),
      end_think_id_(end_think),
      in_reasoning_(starts_in_reasoning) {}

AnswerDelta AnswerStream::Push(StreamResult result) {
  AnswerDelta delta;
  if (!num_cached_tokens_) num_cached_tokens_ = result.num_cached_tokens;
  delta.num_cached_tokens = *num_cached_tokens_;
  delta.prompt_tokens = std::move(result.prompt_logprobs);
  for (EmittedToken& token : result.tokens) {
    if (stopped_) break;
    const TokenId id = token.id;
    ++num_tokens_;
    delta.tokens.push_back(std::move(token));
    if (!text_) continue;
    Add(text_->Push(id), &delta);
    if (in_reasoning_ && !in_answer_) {
      ++num_reasoning_tokens_;
      delta.num_thought_tokens = delta.tokens.size();
    }
    if (id == end_think_id_) in_reasoning_ = false;
  }
  return delta;
}

AnswerDelta AnswerStream::Finish() {
  AnswerDelta delta;
  if (text_) Add(text_->Finish(), &delta);
  return delta;
}

void AnswerStream::Add(const TextDelta& text, AnswerDelta* delta) {
  if (!text.reasoning.empty() && !in_answer_) in_reasoning_ = true;
  if (!text.answer.empty()) in_answer_ = true;
  stopped_ = text.stopped;
  delta->text += text.answer;
  delta->reasoning += text.reasoning;
}

}  // namespace mesh::gateway
