// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/chat_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/gateway/openai/answer_fixture.h"
#include "tests/gateway/openai/events.h"
#include "tests/gateway/openai/slow_answer.h"

namespace mesh::gateway {
namespace {

ModelIdentity Identity() {
  ModelIdentity identity;
  identity.numerics = "fake";
  identity.routing_table = 3;
  return identity;
}

Json SlowChunk(int index, const Json& delta, const Json& logprobs,
               const Json& finish_reason) {
  return {{"id", "chatcmpl-1"},
          {"object", "chat.completion.chunk"},
          {"created", 1700000000},
          {"model", "m\n\""},
          {"system_fingerprint", "fp_000000000000_fake_3"},
          {"choices",
           {{{"index", index},
             {"delta", delta},
             {"logprobs", logprobs},
             {"finish_reason", finish_reason}}}}};
}

Json Content(const std::string& text) { return {{"content", text}}; }
Json Thought(const std::string& text) {
  return {{"content", nullptr}, {"reasoning_content", text}};
}

// The events of a whole answer of one choice.
Events Streamed(AnswerFormat::Options options, ReasoningFormat format,
                const std::vector<AnswerDelta>& deltas) {
  ChatAnswer answer(std::move(options), format);
  answer.SetFingerprint(Identity());
  answer.SetPromptTokens(0, 7);
  std::string out;
  answer.AppendStart(0, &out);
  Usage usage{.num_prompt_tokens = 7};
  for (const AnswerDelta& delta : deltas) {
    answer.CountTokens(0, delta);
    usage.num_completion_tokens += static_cast<int>(delta.tokens.size());
    usage.num_reasoning_tokens += static_cast<int>(delta.num_thought_tokens);
    answer.AppendDelta(0, delta, &out);
  }
  answer.NoteEnd(0, FinishReason::kLength, usage);
  answer.AppendFinish(0, &out);
  answer.AppendEnd(&out);
  return Events::Of(out);
}

Json Whole(AnswerFormat::Options options, ReasoningFormat format,
           const std::vector<AnswerDelta>& deltas) {
  ChatAnswer answer(std::move(options), format);
  answer.SetFingerprint(Identity());
  for (const AnswerDelta& delta : deltas) answer.Keep(0, delta);
  answer.NoteEnd(0, FinishReason::kStop,
                 {.num_prompt_tokens = 7,
                  .num_cached_tokens = 3,
                  .num_completion_tokens = 5,
                  .num_reasoning_tokens = 2});
  const auto json = ParseJson(answer.Body(), "body");
  EXPECT_TRUE(json.ok()) << json.status();
  return *json;
}

TEST(ChatAnswer, EventsComeInTheirOrder) {
  const Events events =
      Streamed(AnswerOptions(), ReasoningFormat::kSeparate,
               {TextDeltaOf("I think", ""), TextDeltaOf(" so", "Yes"),
                AnswerDelta(), TextDeltaOf("", "!\r\n\"é")});
  EXPECT_TRUE(events.is_done);
  const std::vector<Json> expected = {
      SlowChunk(0,
                {{"role", "assistant"},
                 {"content", nullptr},
                 {"reasoning_content", ""}},
                nullptr, nullptr),
      SlowChunk(0, Thought("I think"), nullptr, nullptr),
      SlowChunk(0, Thought(" so"), nullptr, nullptr),
      SlowChunk(0, Content("Yes"), nullptr, nullptr),
      SlowChunk(0, Content("!\r\n\"é"), nullptr, nullptr),
      SlowChunk(0, Json::object(), nullptr, "length")};
  EXPECT_EQ(events.chunks, expected);
}

TEST(ChatAnswer, UsageIsAnEventOfItsOwn) {
  AnswerFormat::Options options = AnswerOptions();
  options.stream = {.stream = true, .include_usage = true};
  const Events events = Streamed(options, ReasoningFormat::kSeparate,
                                 {TokensOf({301, 302, 303}, 2)});
  ASSERT_EQ(events.chunks.size(), 3U);
  EXPECT_TRUE(events.chunks[0]["usage"].is_null());
  EXPECT_TRUE(events.chunks[1]["usage"].is_null());
  EXPECT_EQ(events.chunks[2]["choices"], Json::array());
  EXPECT_EQ(events.chunks[2]["usage"], SlowUsage({.num_prompt_tokens = 7,
                                                  .num_completion_tokens = 3,
                                                  .num_reasoning_tokens = 2},
                                                 std::nullopt));
}

TEST(ChatAnswer, UsageMayBeInEveryEvent) {
  AnswerFormat::Options options = AnswerOptions();
  options.stream = {.stream = true, .continuous_usage = true};
  AnswerDelta delta = TokensOf({301, 302}, 0);
  delta.text = "ab";
  delta.num_cached_tokens = 4;
  const Events events =
      Streamed(options, ReasoningFormat::kSeparate, {delta, delta});
  ASSERT_EQ(events.chunks.size(), 4U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(events.chunks[i]["usage"],
              SlowUsage({.num_prompt_tokens = 7,
                         .num_cached_tokens = i == 0 ? 0 : 4,
                         .num_completion_tokens = static_cast<int>(2 * i)},
                        std::nullopt));
  }
}

TEST(ChatAnswer, LogprobsStandWithTheirText) {
  AnswerFormat::Options options = AnswerOptions();
  options.logprobs = true;
  AnswerDelta delta = TokensOf({301, 236, 302, 1}, 1);
  delta.reasoning = "a";
  delta.text = "b";
  const Events events = Streamed(options, ReasoningFormat::kSeparate, {delta});
  ASSERT_EQ(events.chunks.size(), 4U);
  const Tokenizer& tokenizer = *TinyR1().tokenizer;
  EXPECT_EQ(events.chunks[1]["choices"][0]["logprobs"],
            (Json{{"content", Json::array()},
                  {"reasoning_content",
                   SlowLogprobs({delta.tokens[0]}, tokenizer)}}));
  EXPECT_EQ(events.chunks[2]["choices"][0]["logprobs"],
            (Json{{"content",
                   SlowLogprobs({delta.tokens.begin() + 1, delta.tokens.end()},
                                tokenizer)},
                  {"reasoning_content", Json::array()}}));
  EXPECT_EQ(events.chunks[2]["choices"][0]["logprobs"]["content"].size(), 2U)
      << "the end of the sequence is no text";
}

TEST(ChatAnswer, ThinkingCanBeInlineOrHidden) {
  const std::vector<AnswerDelta> deltas = {
      TextDeltaOf("hm", ""), TextDeltaOf("m", "Yes"), TextDeltaOf("", ".")};
  Events events = Streamed(AnswerOptions(), ReasoningFormat::kInline, deltas);
  ASSERT_EQ(events.chunks.size(), 5U);
  EXPECT_EQ(
      events.chunks[0],
      SlowChunk(0, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr));
  std::string content;
  for (const Json& chunk : events.chunks) {
    content += chunk["choices"][0]["delta"].value("content", "");
  }
  EXPECT_EQ(content, "<think>\nhmm\n</think>\n\nYes.");
  EXPECT_EQ(Whole(AnswerOptions(), ReasoningFormat::kInline,
                  deltas)["choices"][0]["message"]["content"],
            content);
  events = Streamed(AnswerOptions(), ReasoningFormat::kHidden, deltas);
  ASSERT_EQ(events.chunks.size(), 4U);
  EXPECT_EQ(events.chunks[1]["choices"][0]["delta"], Content("Yes"));
  EXPECT_EQ(Whole(AnswerOptions(), ReasoningFormat::kHidden,
                  deltas)["choices"][0]["message"],
            (Json{{"role", "assistant"}, {"content", "Yes."}}));
}

TEST(ChatAnswer, WholeAnswer) {
  AnswerFormat::Options options = AnswerOptions();
  options.prices = Prices{.prompt = 2, .cached_prompt = 1, .completion = 8};
  const Json body = Whole(options, ReasoningFormat::kSeparate,
                          {TextDeltaOf("hm", "Ye"), TextDeltaOf("", "s\x01")});
  EXPECT_EQ(body, (Json{{"id", "chatcmpl-1"},
                        {"object", "chat.completion"},
                        {"created", 1700000000},
                        {"model", "m\n\""},
                        {"system_fingerprint", "fp_000000000000_fake_3"},
                        {"choices",
                         {{{"index", 0},
                           {"message",
                            {{"role", "assistant"},
                             {"content", "Yes\x01"},
                             {"reasoning_content", "hm"}}},
                           {"logprobs", nullptr},
                           {"finish_reason", "stop"}}}},
                        {"usage", SlowUsage({.num_prompt_tokens = 7,
                                             .num_cached_tokens = 3,
                                             .num_completion_tokens = 5,
                                             .num_reasoning_tokens = 2},
                                            options.prices)}}));
  EXPECT_DOUBLE_EQ(body["usage"]["cost"].get<double>(), 51e-6);
}

TEST(ChatAnswer, SeveralChoicesShareThePrompt) {
  AnswerFormat::Options options = AnswerOptions();
  options.num_choices = 3;
  options.choices_per_prompt = 3;
  options.logprobs = true;
  ChatAnswer answer(options, ReasoningFormat::kSeparate);
  answer.SetFingerprint(Identity());
  for (int i = 2; i >= 0; --i) {
    answer.Keep(i, TextDeltaOf("", std::to_string(i)));
    answer.Keep(i, TokensOf({300 + i}, 0));
    answer.Keep(i, TokensOf({310 + i}, 0));
    // The first computed most of it; the others found all but the last token.
    answer.NoteEnd(i, FinishReason::kLength,
                   {.num_prompt_tokens = 7,
                    .num_cached_tokens = i == 0 ? 2 : 6,
                    .num_completion_tokens = 2});
  }
  const auto body = ParseJson(answer.Body(), "body");
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ((*body)["choices"].size(), 3U);
  for (int i = 0; i < 3; ++i) {
    const Json& choice = (*body)["choices"][static_cast<size_t>(i)];
    EXPECT_EQ(choice["index"], i);
    EXPECT_EQ(choice["message"]["content"], std::to_string(i));
    EXPECT_TRUE(choice["message"]["reasoning_content"].is_null());
    EXPECT_EQ(choice["logprobs"]["content"].size(), 2U);
    EXPECT_EQ(choice["finish_reason"], "length");
  }
  EXPECT_EQ((*body)["usage"], SlowUsage({.num_prompt_tokens = 7,
                                         .num_cached_tokens = 2,
                                         .num_completion_tokens = 6},
                                        std::nullopt));
}

TEST(ChatAnswer, AnErrorEndsTheStream) {
  std::string out;
  AnswerFormat::AppendError(R"({"error":{}})", &out);
  EXPECT_EQ(out, "data: {\"error\":{}}\n\ndata: [DONE]\n\n");
}

}  // namespace
}  // namespace mesh::gateway
