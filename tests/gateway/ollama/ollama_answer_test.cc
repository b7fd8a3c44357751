// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gateway/api_error.h"
#include "gateway/openai/token_logprobs.h"
#include "tests/gateway/openai/answer_fixture.h"

namespace mesh::gateway {
namespace {

constexpr char kHead[] =
    R"({"model":"m:latest","created_at":"2023-11-14T22:13:20.25Z",)";

absl::Time At(double seconds) {
  return absl::FromUnixSeconds(1700000000) + absl::Seconds(seconds);
}

OllamaAnswer::Options OptionsFor(OllamaRoute route) {
  return {.route = route,
          .model = "m:latest",
          .tokenizer = TinyR1().tokenizer.get(),
          .asked = At(0)};
}

AnswerDelta Delta(const std::string& reasoning, const std::string& text) {
  AnswerDelta delta = TextDeltaOf(reasoning, text);
  delta.tokens = TokensOf({300}, 0).tokens;
  return delta;
}

AnswerEnd End(FinishReason reason) {
  AnswerEnd end;
  end.reason = reason;
  end.usage.num_prompt_tokens = 5;
  end.usage.num_completion_tokens = 7;
  return end;
}

std::string Line(OllamaAnswer& answer, const AnswerDelta& delta) {
  std::string line;
  answer.AppendDelta(delta, At(0.25), &line);
  return line;
}

TEST(OllamaAnswer, ChatLines) {
  OllamaAnswer answer(OptionsFor(OllamaRoute::kChat));
  EXPECT_EQ(
      Line(answer, Delta("hm", "")),
      std::string(kHead) +
          R"("message":{"role":"assistant","content":"","thinking":"hm"},)"
          R"("done":false})"
          "\n");
  EXPECT_EQ(Line(answer, Delta("", "a\n\"b\"")),
            std::string(kHead) +
                R"("message":{"role":"assistant","content":"a\n\"b\""},)"
                R"("done":false})"
                "\n");
  EXPECT_EQ(Line(answer, Delta("", "")), "");
}

TEST(OllamaAnswer, GenerateLines) {
  OllamaAnswer answer(OptionsFor(OllamaRoute::kGenerate));
  EXPECT_EQ(Line(answer, Delta("hm", "a")),
            std::string(kHead) +
                R"("response":"a","thinking":"hm","done":false})"
                "\n");
}

TEST(OllamaAnswer, TheLastLineCounts) {
  OllamaAnswer answer(OptionsFor(OllamaRoute::kChat));
  std::string line;
  answer.NoteStart(At(0.5));
  answer.AppendDelta(Delta("", "a"), At(1), &line);
  answer.AppendDelta(Delta("", "b"), At(3), &line);
  line.clear();
  answer.AppendEnd(End(FinishReason::kLength), At(3.5), &line);
  EXPECT_EQ(line,
            R"({"model":"m:latest","created_at":"2023-11-14T22:13:23.5Z",)"
            R"("message":{"role":"assistant","content":""},"done":true,)"
            R"("done_reason":"length","total_duration":3500000000,)"
            R"("load_duration":0,"prompt_eval_count":5,)"
            R"("prompt_eval_duration":500000000,"eval_count":7,)"
            R"("eval_duration":2000000000})"
            "\n");
}

TEST(OllamaAnswer, EndsWithStopUnlessItIsCutOff) {
  for (const FinishReason reason :
       {FinishReason::kStop, FinishReason::kCancelled}) {
    OllamaAnswer answer(OptionsFor(OllamaRoute::kGenerate));
    std::string line;
    answer.AppendEnd(End(reason), At(0), &line);
    EXPECT_THAT(line, ::testing::HasSubstr(R"("done_reason":"stop")"));
    // Nothing was ever started.
    EXPECT_THAT(line, ::testing::HasSubstr(R"("eval_duration":0})"));
  }
}

TEST(OllamaAnswer, AWholeBodyIsOneLine) {
  OllamaAnswer answer(OptionsFor(OllamaRoute::kChat));
  answer.NoteStart(At(0));
  answer.Keep(Delta("h", ""), At(1));
  answer.Keep(Delta("m", "a"), At(1));
  answer.Keep(Delta("", "b"), At(1));
  EXPECT_EQ(answer.Body(End(FinishReason::kStop), At(1)),
            R"({"model":"m:latest","created_at":"2023-11-14T22:13:21Z",)"
            R"("message":{"role":"assistant","content":"ab","thinking":"hm"},)"
            R"("done":true,"done_reason":"stop","total_duration":1000000000,)"
            R"("load_duration":0,"prompt_eval_count":5,)"
            R"("prompt_eval_duration":1000000000,"eval_count":7,)"
            R"("eval_duration":0})");
}

TEST(OllamaAnswer, HidesThinking) {
  OllamaAnswer::Options options = OptionsFor(OllamaRoute::kChat);
  options.hides_thinking = true;
  options.logprobs = true;
  OllamaAnswer answer(options);
  AnswerDelta thought = TokensOf({300, 301}, 2);
  thought.reasoning = "hm";
  EXPECT_EQ(Line(answer, thought), "");
  answer.Keep(thought, At(1));
  EXPECT_THAT(answer.Body(End(FinishReason::kStop), At(1)),
              ::testing::Not(::testing::HasSubstr("thinking")));
}

TEST(OllamaAnswer, Logprobs) {
  OllamaAnswer::Options options = OptionsFor(OllamaRoute::kGenerate);
  options.logprobs = true;
  OllamaAnswer answer(options);
  std::string expected;
  AppendChatLogprobs(TokensOf({300}, 0).tokens, *options.tokenizer, &expected);
  EXPECT_EQ(Line(answer, Delta("", "a")),
            std::string(kHead) + R"("response":"a","logprobs":[)" + expected +
                R"(],"done":false})"
                "\n");
  answer.Keep(Delta("", "a"), At(1));
  answer.Keep(Delta("", "b"), At(1));
  EXPECT_THAT(answer.Body(End(FinishReason::kStop), At(1)),
              ::testing::HasSubstr(R"("logprobs":[)" + expected + "," +
                                   expected + "]"));
}

TEST(OllamaAnswer, LoadsOnly) {
  OllamaAnswer answer(OptionsFor(OllamaRoute::kGenerate));
  EXPECT_EQ(answer.LoadBody("load", At(0.25)),
            std::string(kHead) +
                R"("response":"","done":true,"done_reason":"load"})");
}

TEST(OllamaAnswer, Errors) {
  std::string line;
  OllamaAnswer::AppendError(absl::UnavailableError("no \"node\"\n"), &line);
  EXPECT_EQ(line, R"({"error":"no \"node\"\n"})"
                  "\n");
  const HttpResponse refused =
      OllamaErrorResponse(InvalidField("options", "invalid_type", "it is"));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body, R"({"error":"it is"})");
  EXPECT_EQ(FindHeader(refused.headers, "content-type"), "application/json");
  const HttpResponse full =
      OllamaErrorResponse(ApiError(absl::StatusCode::kResourceExhausted, "full",
                                   {.retry_after = absl::Seconds(2)}));
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(FindHeader(full.headers, "retry-after"), "2");
  const HttpResponse ours =
      OllamaErrorResponse(absl::InternalError("/etc/secret broke"));
  EXPECT_EQ(ours.status, 500);
  EXPECT_THAT(ours.body, ::testing::Not(::testing::HasSubstr("secret")));
}

}  // namespace
}  // namespace mesh::gateway
