// SPDX-License-Identifier: Apache-2.0
#include "gateway/generation_request.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

const ServedModel& TinyR1() {
  static const auto* model = new absl::StatusOr<ServedModel>(
      LoadServedModel(std::string(MESH_SOURCE_DIR) + "/models/tiny-r1/", ""));
  return model->value();
}

GenerateInput IdsInput() {
  GenerateInput input;
  input.prompt = std::vector<TokenId>{5, 6, 7};
  return input;
}

absl::StatusOr<GenerationRequest> Check(GenerateInput input) {
  return CheckGenerateInput(std::move(input), TinyR1(), 100, 42);
}

TEST(GenerationRequest, DefaultsAreTheModels) {
  const auto request = Check(IdsInput());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->prompt, (std::vector<TokenId>{5, 6, 7}));
  EXPECT_FLOAT_EQ(request->sampling.temperature, 0.6F);
  EXPECT_FLOAT_EQ(request->sampling.top_p, 0.95F);
  EXPECT_EQ(request->sampling.seed, 42U);
  EXPECT_EQ(request->sampling.max_tokens, 97);
  EXPECT_EQ(request->sampling.num_logprobs, -1);
  EXPECT_FALSE(request->wants_text);
}

TEST(GenerationRequest, GivenFieldsWin) {
  GenerateInput input = IdsInput();
  input.sampling.temperature = 0;
  input.sampling.seed = 0;
  input.sampling.logit_bias = {{5, -100}};
  input.max_tokens = 9;
  input.logprobs = 0;
  input.prompt_logprobs = true;
  input.stop_token_ids = {8};
  input.ignore_eos = true;
  input.priority = 7;
  input.request_id = "a-b_c.d:9";
  input.cache_salt = "salt";
  input.model = "tiny-r1";
  const auto request = Check(input);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->sampling.temperature, 0);
  EXPECT_EQ(request->sampling.seed, 0U);
  EXPECT_EQ(request->sampling.logit_bias, input.sampling.logit_bias);
  EXPECT_EQ(request->sampling.max_tokens, 9);
  EXPECT_EQ(request->sampling.num_logprobs, 0);
  EXPECT_TRUE(request->sampling.prompt_logprobs);
  EXPECT_EQ(request->sampling.stop_token_ids, std::vector<TokenId>{8});
  EXPECT_TRUE(request->sampling.ignore_eos);
  EXPECT_EQ(request->priority, 7);
  EXPECT_EQ(request->request_id, "a-b_c.d:9");
  EXPECT_EQ(request->cache_salt, "salt");
}

TEST(GenerationRequest, MessagesOpenTheThinking) {
  GenerateInput input;
  input.prompt = Messages{{"user", "Hi", ""}};
  input.stops = {"a", "b", "c", std::string(256, 'd')};
  const auto request = Check(input);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(request->wants_text);
  EXPECT_TRUE(request->starts_in_reasoning);
  EXPECT_EQ(request->stops.size(), 4U);
}

TEST(GenerationRequest, PromptMayFillAllButOnePosition) {
  GenerateInput input;
  input.prompt = std::vector<TokenId>(99, 5);
  const auto request = Check(input);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->sampling.max_tokens, 1);
}

TEST(GenerationRequest, BadFieldsAreNamedWithValueAndRange) {
  const std::vector<std::pair<std::function<void(GenerateInput&)>, std::string>>
      cases = {
          {[](auto& in) { in.prompt = {}; },
           "the request has no input, expected messages, text or token_ids"},
          {[](auto& in) { in.prompt = Messages{}; },
           "number of messages is 0, expected 1 to 10000"},
          {[](auto& in) { in.prompt = Messages(10001); },
           "number of messages is 10001, expected 1 to 10000"},
          {[](auto& in) {
             in.prompt = Messages{{"tool\n", "x", ""}};
           },
           "messages[0].role is 'tool\\n', expected 'system', 'user' or "
           "'assistant'"},
          {[](auto& in) {
             in.prompt = Messages{{"user", std::string(5 << 20, 'x'), ""}};
           },
           "length of messages in bytes is 5242880, expected 0 to 4194304"},
          {[](auto& in) { in.prompt = std::string(); }, "text is empty"},
          {[](auto& in) { in.prompt = std::string(5 << 20, 'x'); },
           "length of text in bytes is 5242880, expected 0 to 4194304"},
          {[](auto& in) { in.prompt = std::vector<TokenId>{}; },
           "token_ids is empty"},
          {[](auto& in) {
             in.prompt = std::vector<TokenId>{1, 2048};
           },
           "token_ids[1] is token 2048, expected 0 to 2047"},
          {[](auto& in) { in.prompt = std::vector<TokenId>{-1}; },
           "token_ids[0] is token -1, expected 0 to 2047"},
          {[](auto& in) { in.prompt = std::vector<TokenId>(100, 5); },
           "the prompt has 100 tokens, expected at most 99: the context has "
           "100"},
          {[](auto& in) { in.max_tokens = 98; },
           "up to 98 new tokens are asked for and 97 fit: the prompt has 3 "
           "tokens and the context 100"},
          {[](auto& in) { in.max_tokens = 0xFFFFFFFF; },
           "up to 4294967295 new tokens are asked for and 97 fit: the prompt "
           "has 3 tokens and the context 100"},
          {[](auto& in) { in.cache_salt = std::string(257, 's'); },
           "length of cache_salt in bytes is 257, expected 0 to 256"},
          {[](auto& in) { in.sampling.temperature = -0.5F; },
           "temperature is -0.5, expected 0 to 2"},
          {[](auto& in) { in.sampling.temperature = std::nanf(""); },
           "temperature is nan, expected 0 to 2"},
          {[](auto& in) { in.sampling.top_p = 0; },
           "top_p is 0, expected more than 0 and at most 1"},
          {[](auto& in) { in.sampling.top_k = -1; },
           "top_k is -1, expected 0 to 2147483647"},
          {[](auto& in) { in.sampling.min_p = 1.5F; },
           "min_p is 1.5, expected 0 to 1"},
          {[](auto& in) { in.sampling.presence_penalty = 3; },
           "presence_penalty is 3, expected -2 to 2"},
          {[](auto& in) { in.sampling.frequency_penalty = -3; },
           "frequency_penalty is -3, expected -2 to 2"},
          {[](auto& in) { in.sampling.repetition_penalty = 0; },
           "repetition_penalty is 0, expected more than 0 and at most 10"},
          {[](auto& in) {
             in.sampling.logit_bias = {{2048, 1.0F}};
           },
           "token of logit_bias is 2048, expected 0 to 2047"},
          {[](auto& in) {
             in.sampling.logit_bias = {{5, 101.0F}};
           },
           "logit_bias is 101, expected -100 to 100"},
          {[](auto& in) { in.logprobs = 21; },
           "logprobs is 21, expected 0 to 20"},
          {[](auto& in) { in.prompt_logprobs = true; },
           "prompt_logprobs needs logprobs, the number of entries per token"},
          {[](auto& in) { in.stop_token_ids = {2048}; },
           "stop_token_ids[0] is token 2048, expected 0 to 2047"},
          {[](auto& in) { in.stops = {"a"}; },
           "stop needs text; with token_ids use stop_token_ids"},
          {[](auto& in) { in.stops = std::vector<std::string>(17, "a"); },
           "number of stop strings is 17, expected 0 to 16"},
          {[](auto& in) { in.stops = {""}; },
           "length of a stop string in bytes is 0, expected 1 to 256"},
          {[](auto& in) { in.stops = {std::string(257, 'a')}; },
           "length of a stop string in bytes is 257, expected 1 to 256"},
          {[](auto& in) { in.priority = 8; }, "priority is 8, expected 0 to 7"},
          {[](auto& in) { in.request_id = "a b"; },
           "request_id is 'a b', expected letters, digits, '-', '_', '.' and "
           "':'"},
          {[](auto& in) { in.request_id = std::string(129, 'a'); },
           "length of request_id in bytes is 129, expected 0 to 128"},
      };
  for (const auto& [spoil, message] : cases) {
    GenerateInput input = IdsInput();
    spoil(input);
    const absl::Status status = Check(std::move(input)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_EQ(status.message(), message);
  }
}

TEST(GenerationRequest, OtherModelIsNotFound) {
  GenerateInput input = IdsInput();
  input.model = "gpt";
  const absl::Status status = Check(input).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(status, ModelNotFound("gpt"));
  EXPECT_EQ(DetailsOf(status).code, "model_not_found");
}

TEST(GenerationRequest, ErrorsHaveCodesForPrograms) {
  GenerateInput input = IdsInput();
  input.max_tokens = 98;
  EXPECT_EQ(DetailsOf(Check(input).status()).code, "context_length_exceeded");
  input.prompt = std::vector<TokenId>{5, 2048};
  const ApiErrorDetails details = DetailsOf(Check(input).status());
  EXPECT_EQ(details.code, "token_out_of_range");
  EXPECT_EQ(details.param, "token_ids[1]");
}

TEST(GenerationRequest, TokenIdsMayBeAnsweredInText) {
  GenerateInput input = IdsInput();
  EXPECT_FALSE(Check(input)->wants_text);
  input.text_from_ids = true;
  input.stops = {"a"};
  EXPECT_TRUE(Check(input)->wants_text);
}

}  // namespace
}  // namespace mesh::gateway
