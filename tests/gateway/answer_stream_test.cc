// SPDX-License-Identifier: Apache-2.0
#include "gateway/answer_stream.h"

#include <gtest/gtest.h>

#include "gateway/served_model.h"

namespace mesh::gateway {
namespace {

const Tokenizer& TinyR1() {
  static const auto* tokenizer =
      new absl::StatusOr<std::unique_ptr<const Tokenizer>>(
          Tokenizer::Load(std::string(MESH_SOURCE_DIR) + "/models/tiny-r1"));
  return *tokenizer->value();
}

StreamResult ResultOf(absl::string_view text, int first_index = 0) {
  StreamResult result;
  const auto ids = TinyR1().EncodeWithSpecials(text);
  for (const TokenId id : ids.value()) {
    result.tokens.push_back(
        {first_index + static_cast<int>(result.tokens.size()), id});
  }
  return result;
}

AnswerStream Create(const GenerationRequest& request) {
  return AnswerStream::Create(TinyR1(), request).value();
}

TEST(AnswerStream, ThoughtsAreCountedApart) {
  GenerationRequest request;
  request.starts_in_reasoning = true;
  AnswerStream answer = Create(request);
  const StreamResult thoughts = ResultOf("Two and two.</think>");
  const StreamResult words = ResultOf("It is four.");
  AnswerDelta delta = answer.Push(thoughts);
  delta.Append(answer.Push(words));
  delta.Append(answer.Finish());
  EXPECT_EQ(delta.reasoning, "Two and two.");
  EXPECT_EQ(delta.text, "It is four.");
  EXPECT_EQ(delta.tokens.size(), thoughts.tokens.size() + words.tokens.size());
  EXPECT_EQ(answer.NumTokens(), static_cast<int>(delta.tokens.size()));
  EXPECT_EQ(answer.NumReasoningTokens(),
            static_cast<int>(thoughts.tokens.size()));
  EXPECT_EQ(delta.num_thought_tokens, thoughts.tokens.size());
}

// A stream that goes on elsewhere finds other prefixes there.
TEST(AnswerStream, WhatWasCachedIsAsTheFirstResultSays) {
  AnswerStream answer = Create({});
  EXPECT_EQ(answer.NumCachedTokens(), 0);
  StreamResult result = ResultOf("one");
  result.num_cached_tokens = 64;
  AnswerDelta delta = answer.Push(result);
  EXPECT_EQ(delta.num_cached_tokens, 64);
  result.num_cached_tokens = 128;
  delta.Append(answer.Push(result));
  EXPECT_EQ(delta.num_cached_tokens, 64);
  EXPECT_EQ(answer.NumCachedTokens(), 64);
}

TEST(AnswerStream, NothingComesAfterAStopString) {
  GenerationRequest request;
  request.stops = {"END"};
  AnswerStream answer = Create(request);
  const AnswerDelta delta = answer.Push(ResultOf("one two END three four"));
  EXPECT_TRUE(answer.Stopped());
  EXPECT_EQ(delta.text, "one two ");
  const int num_tokens = answer.NumTokens();
  EXPECT_LT(num_tokens,
            static_cast<int>(ResultOf("one two END three four").tokens.size()));
  EXPECT_TRUE(answer.Push(ResultOf("more")).Empty());
  EXPECT_TRUE(answer.Finish().Empty());
  EXPECT_EQ(answer.NumTokens(), num_tokens);
}

TEST(AnswerStream, TokenIdInputGivesNoText) {
  GenerationRequest request;
  request.wants_text = false;
  AnswerStream answer = Create(request);
  AnswerDelta delta = answer.Push(ResultOf("some words"));
  delta.Append(answer.Finish());
  EXPECT_EQ(delta.text, "");
  EXPECT_FALSE(delta.tokens.empty());
  EXPECT_EQ(answer.NumReasoningTokens(), 0);
}

TEST(AnswerStream, BytesGrowWithLogprobs) {
  AnswerDelta delta;
  EXPECT_TRUE(delta.Empty());
  EXPECT_EQ(delta.NumBytes(), 0U);
  delta.tokens.push_back({0, 5});
  const size_t plain = delta.NumBytes();
  delta.tokens[0].top.resize(20);
  EXPECT_EQ(delta.NumBytes(), plain + 20 * sizeof(TokenLogprob));
}

}  // namespace
}  // namespace mesh::gateway
