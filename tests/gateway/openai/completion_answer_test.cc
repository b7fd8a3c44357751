// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/completion_answer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/gateway/openai/answer_fixture.h"
#include "tests/gateway/openai/events.h"
#include "tests/gateway/openai/slow_answer.h"

namespace mesh::gateway {
namespace {

Json Body(const CompletionAnswer& answer) {
  const auto json = ParseJson(answer.Body(), "body");
  EXPECT_TRUE(json.ok()) << json.status();
  return *json;
}

AnswerDelta WithLogprobs() {
  AnswerDelta delta = TokensOf({301, 302}, 0);
  delta.text = "xy";
  delta.prompt_tokens = {{.position = 1, .id = 310, .logprob = -2.0F}};
  return delta;
}

std::string TokenText(TokenId id) {
  return std::string(TinyR1().tokenizer->TokenBytes(id));
}

TEST(CompletionAnswer, WholeWithEchoAndLogprobs) {
  AnswerFormat::Options options = AnswerOptions();
  options.logprobs = true;
  CompletionAnswer answer(options, {{"ab", 309}});
  answer.Keep(0, WithLogprobs());
  answer.NoteEnd(0, FinishReason::kLength,
                 {.num_prompt_tokens = 2, .num_completion_tokens = 2});
  const Json body = Body(answer);
  EXPECT_EQ(body["object"], "text_completion");
  const Json& choice = body["choices"][0];
  EXPECT_EQ(choice["text"], "abxy");
  EXPECT_EQ(choice["finish_reason"], "length");
  const Json& logprobs = choice["logprobs"];
  EXPECT_EQ(logprobs["tokens"], (Json{TokenText(309), TokenText(310),
                                      TokenText(301), TokenText(302)}));
  EXPECT_EQ(logprobs["token_logprobs"], (Json{nullptr, -2.0, -0.125, -0.125}));
  EXPECT_EQ(logprobs["top_logprobs"],
            (Json{nullptr,
                  nullptr,
                  {{TokenText(301), -0.125}, {TokenText(300), -1.5}},
                  {{TokenText(302), -0.125}, {TokenText(300), -1.5}}}));
  size_t offset = 0;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(logprobs["text_offset"][i], offset);
    offset += logprobs["tokens"][i].get<std::string>().size();
  }
}

TEST(CompletionAnswer, Events) {
  AnswerFormat::Options options = AnswerOptions();
  options.logprobs = true;
  options.stream.include_usage = true;
  CompletionAnswer answer(options, {{"ab", std::nullopt}});
  std::string out;
  answer.AppendStart(0, &out);
  answer.AppendDelta(0, WithLogprobs(), &out);
  answer.AppendDelta(0, AnswerDelta(), &out);
  answer.NoteEnd(0, FinishReason::kStop,
                 {.num_prompt_tokens = 2, .num_completion_tokens = 2});
  answer.AppendFinish(0, &out);
  answer.AppendEnd(&out);
  const Events events = Events::Of(out);
  EXPECT_TRUE(events.is_done);
  ASSERT_EQ(events.chunks.size(), 4U);
  EXPECT_EQ(events.chunks[0]["choices"], (Json{{{"index", 0},
                                                {"text", "ab"},
                                                {"logprobs", nullptr},
                                                {"finish_reason", nullptr}}}));
  EXPECT_EQ(events.chunks[1]["choices"][0]["text"], "xy");
  EXPECT_EQ(events.chunks[1]["choices"][0]["logprobs"]["tokens"].size(), 3U);
  EXPECT_EQ(events.chunks[2]["choices"], (Json{{{"index", 0},
                                                {"text", ""},
                                                {"logprobs", nullptr},
                                                {"finish_reason", "stop"}}}));
  EXPECT_EQ(events.chunks[3]["choices"], Json::array());
  EXPECT_EQ(events.chunks[3]["usage"]["total_tokens"], 4);
}

TEST(CompletionAnswer, WithoutEchoTheStartSaysNothing) {
  CompletionAnswer answer(AnswerOptions(), {Echo()});
  std::string out;
  answer.AppendStart(0, &out);
  EXPECT_EQ(out, "");
}

TEST(CompletionAnswer, EachPromptCountsOnce) {
  AnswerFormat::Options options = AnswerOptions();
  options.num_choices = 4;
  options.choices_per_prompt = 2;
  CompletionAnswer answer(options, std::vector<Echo>(4));
  for (int i = 0; i < 4; ++i) {
    answer.Keep(i, TextDeltaOf("", "x"));
    answer.NoteEnd(
        i, FinishReason::kStop,
        {.num_prompt_tokens = i < 2 ? 10 : 100, .num_completion_tokens = 1});
  }
  const Json body = Body(answer);
  EXPECT_EQ(body["usage"],
            SlowUsage({.num_prompt_tokens = 110, .num_completion_tokens = 4},
                      std::nullopt));
  EXPECT_EQ(body["choices"][3]["index"], 3);
}

TEST(CompletionAnswer, ThinkingStandsInTheText) {
  CompletionAnswer answer(AnswerOptions(), {Echo()});
  answer.Keep(0, TextDeltaOf("hm", "Yes"));
  EXPECT_EQ(Body(answer)["choices"][0]["text"], "<think>\nhm\n</think>\n\nYes");
}

}  // namespace
}  // namespace mesh::gateway
