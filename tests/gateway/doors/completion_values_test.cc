// SPDX-License-Identifier: Apache-2.0
// Prompts of completions, the tokenizer's routes and Ollama's with bad values,
// and texts that are hard on the tokenizer.
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/gateway/doors/doors_fixture.h"
#include "tests/support/sanitized.h"

namespace mesh::gateway {
namespace {

constexpr char kCompletion[] = "/v1/completions";

using CompletionValuesTest = DoorsTest;

// A prompt of so many token ids.
std::string Ids(int count) {
  return absl::StrCat("[5", Repeated(count - 1, ",5"), "]");
}

TEST_F(CompletionValuesTest, Prompts) {
  StartDoors();
  CheckAll<BodyRow>({
      {"PromptMissing", kCompletion, R"({"model":"tiny-r1"})", 400,
       "missing_field", "prompt"},
      {"PromptEmpty", kCompletion, Completion(R"("")"), 400, "invalid_value",
       "prompt"},
      {"PromptOfSpaces", kCompletion, Completion(R"("   ")")},
      {"PromptEmptyList", kCompletion, Completion("[]"), 400, "invalid_value",
       "prompt"},
      {"PromptNumber", kCompletion, Completion("5"), 400, "invalid_type",
       "prompt"},
      {"TokenMinusOne", kCompletion, Completion("[5,-1]"), 400,
       "token_out_of_range", "prompt[1]"},
      {"TokenBeyondTheVocabulary", kCompletion, Completion("[2048]"), 400,
       "token_out_of_range", "prompt[0]"},
      {"TokenBeyond32Bits", kCompletion, Completion("[2147483648]"), 400,
       "token_out_of_range", "prompt[0]"},
      {"TokenFraction", kCompletion, Completion("[1.5]"), 400,
       "token_out_of_range", "prompt[0]"},
      {"TokenText", kCompletion, Completion(R"([5,"x"])"), 400, "invalid_type",
       "prompt[1]"},
      {"LastTokenOfTheVocabulary", kCompletion, Completion("[2047]")},
      {"PromptsBeyondTheLimit", kCompletion,
       Completion(absl::StrCat("[\"a\"", Repeated(64, ",\"a\""), "]")), 400,
       "invalid_value", "prompt"},
      {"ChoicesBeyondTheLimit", kCompletion,
       Completion(absl::StrCat("[\"a\"", Repeated(8, ",\"a\""), "]"),
                  R"("n":8)"),
       400, "invalid_value", "n"},
      {"FillsTheContext", kCompletion,
       Completion(Ids(2040), R"("max_tokens":8)")},
      {"BeyondTheContextByOne", kCompletion,
       Completion(Ids(2041), R"("max_tokens":8)"), 400,
       "context_length_exceeded", "max_tokens"},
      {"PromptFillsTheContext", kCompletion, Completion(Ids(2048)), 400,
       "context_length_exceeded", ""},
      {"BestOfMoreThanN", kCompletion, Completion(R"("x")", R"("best_of":3)"),
       400, "unsupported_parameter", "best_of"},
      {"BestOfInAStream", kCompletion,
       Completion(R"("x")", R"("n":2,"best_of":2,"stream":true)"), 400,
       "unsupported_parameter", "best_of"},
      {"LogprobsBeyond", kCompletion, Completion(R"("x")", R"("logprobs":21)"),
       400, "invalid_value", "logprobs"},
      {"Suffix", kCompletion, Completion(R"("x")", R"("suffix":"y")"), 400,
       "unsupported_parameter", "suffix"},
  });
}

TEST_F(CompletionValuesTest, ContextErrorHasBothNumbers) {
  StartDoors();
  const HttpReply reply = SendHttp(
      PostText(kCompletion, Completion(Ids(2041), R"("max_tokens":8)")));
  EXPECT_NE(reply.body.find("2041"), std::string::npos) << reply.body;
  EXPECT_NE(reply.body.find("2048"), std::string::npos) << reply.body;
  ExpectUnharmed();
}

TEST_F(CompletionValuesTest, TokenizerRoutes) {
  StartDoors();
  CheckAll<BodyRow>({
      {"TokenizeNothing", "/tokenize", "{}", 400, "missing_field", "prompt"},
      {"TokenizeNumber", "/tokenize", R"({"prompt":5})", 400, "invalid_type",
       "prompt"},
      {"DetokenizeMinusOne", "/detokenize", R"({"tokens":[-1]})", 400,
       "token_out_of_range", "tokens[0]"},
      {"DetokenizeBeyond", "/detokenize", R"({"tokens":[2048]})", 400,
       "token_out_of_range", "tokens[0]"},
      {"DetokenizeText", "/detokenize", R"({"tokens":"x"})", 400,
       "invalid_type", "tokens"},
  });
}

// Ollama's errors are a text and no more.
TEST_F(CompletionValuesTest, Ollama) {
  StartDoors();
  CheckAll<BodyRow>({
      {"NoJson", "/api/chat", "{", 400},
      {"UnknownModel", "/api/chat",
       R"({"model":"other","messages":[{"role":"user","content":"x"}]})", 404},
      {"UnknownRole", "/api/chat",
       R"({"model":"tiny-r1","messages":[{"role":"x","content":"x"}]})", 400},
      {"Image", "/api/chat",
       R"({"model":"tiny-r1","messages":[{"role":"user","images":["x"]}]})",
       400},
      {"Temperature", "/api/generate",
       R"({"model":"tiny-r1","prompt":"x","options":{"temperature":-1}})", 400},
      {"Pull", "/api/pull", R"({"model":"x"})", 501},
  });
}

// Time is linear in the text, whatever it is made of.
TEST_F(CompletionValuesTest, LongTexts) {
  StartDoors();
  const struct {
    const char* name;
    const char* piece;
  } texts[] = {{"Letters", "a"},
               {"Spaces", " "},
               {"JoinedEmoji", "\U0001F468\u200D"},
               {"CombiningMarks", "\u0301"},
               {"Nulls", R"(\u0000)"}};
  for (const auto& [name, piece] : texts) {
    SCOPED_TRACE(name);
    const int count = (1 << 20) / static_cast<int>(std::string(piece).size());
    const absl::Time start = absl::Now();
    ExpectReply(SendHttp(PostText(kCompletion,
                                  Completion(absl::StrCat(
                                      "\"", Repeated(count, piece), "\"")))),
                400, "context_length_exceeded", "");
    // Generous: the machine may be busy.
    EXPECT_LT(absl::Now() - start,
              kSanitized ? absl::Seconds(60) : absl::Seconds(10));
    ExpectGoodHttp();
    ExpectUnharmed();
  }
}

}  // namespace
}  // namespace mesh::gateway
