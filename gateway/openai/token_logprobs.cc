// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/token_logprobs.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gateway/openai/json_text.h"

namespace mesh::gateway {
namespace {

void AppendComma(std::string* list) {
  if (!list->empty()) list->push_back(',');
}

// {"token":...,"logprob":...,"bytes":[...] without its end.
void AppendToken(TokenId id, float logprob, const Tokenizer& tokenizer,
                 std::string* out) {
  const absl::string_view bytes = tokenizer.TokenBytes(id);
  absl::StrAppend(out, R"({"token":)");
  AppendJsonString(bytes, out);
  absl::StrAppend(out, R"(,"logprob":)");
  AppendJsonNumber(logprob, out);
  absl::StrAppend(out, R"(,"bytes":[)");
  for (size_t i = 0; i < bytes.size(); ++i) {
    absl::StrAppend(out, i == 0 ? "" : ",",
                    static_cast<int>(static_cast<unsigned char>(bytes[i])));
  }
  out->push_back(']');
}

// Characters, as far as single tokens have whole ones.
int64_t NumChars(absl::string_view bytes) {
  return std::count_if(bytes.begin(), bytes.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
}

}  // namespace

void AppendChatLogprobs(std::span<const EmittedToken> tokens,
                        const Tokenizer& tokenizer, std::string* list) {
  for (const EmittedToken& token : tokens) {
    if (tokenizer.IsSpecial(token.id)) continue;
    AppendComma(list);
    AppendToken(token.id, token.logprob, tokenizer, list);
    absl::StrAppend(list, R"(,"top_logprobs":[)");
    for (size_t i = 0; i < token.top.size(); ++i) {
      if (i > 0) list->push_back(',');
      AppendToken(token.top[i].id, token.top[i].logprob, tokenizer, list);
      list->push_back('}');
    }
    absl::StrAppend(list, "]}");
  }
}

void CompletionLogprobs::AddToken(TokenId id) {
  const absl::string_view bytes = tokenizer_->TokenBytes(id);
  for (std::string* list : {&tokens_, &logprobs_, &tops_, &offsets_}) {
    AppendComma(list);
  }
  AppendJsonString(bytes, &tokens_);
  absl::StrAppend(&offsets_, text_offset_);
  text_offset_ += NumChars(bytes);
}

void CompletionLogprobs::AddFirst(TokenId id) {
  AddToken(id);
  absl::StrAppend(&logprobs_, "null");
  absl::StrAppend(&tops_, "null");
}

void CompletionLogprobs::Add(TokenId id, float logprob,
                             std::span<const TokenLogprob> top) {
  if (tokenizer_->IsSpecial(id)) return;
  AddToken(id);
  AppendJsonNumber(logprob, &logprobs_);
  if (top.empty()) {
    absl::StrAppend(&tops_, "null");
    return;
  }
  // Of several that are written the same, the first is the likeliest.
  std::set<std::string> keys;
  tops_.push_back('{');
  for (const TokenLogprob& entry : top) {
    std::string key;
    AppendJsonString(tokenizer_->TokenBytes(entry.id), &key);
    if (!keys.insert(key).second) continue;
    absl::StrAppend(&tops_, keys.size() == 1 ? "" : ",", key, ":");
    AppendJsonNumber(entry.logprob, &tops_);
  }
  tops_.push_back('}');
}

void CompletionLogprobs::Append(std::string* out) const {
  absl::StrAppend(out, R"({"tokens":[)", tokens_, R"(],"token_logprobs":[)",
                  logprobs_, R"(],"top_logprobs":[)", tops_,
                  R"(],"text_offset":[)", offsets_);
  absl::StrAppend(out, "]}");
}

void CompletionLogprobs::Take(std::string* out) {
  Append(out);
  for (std::string* list : {&tokens_, &logprobs_, &tops_, &offsets_}) {
    list->clear();
  }
}

}  // namespace mesh::gateway
