// SPDX-License-Identifier: Apache-2.0
// Generate calls with values that are out of their ranges, and those at
// the edge that are not.
#include "absl/strings/str_cat.h"
#include "tests/gateway/doors/doors_fixture.h"

namespace mesh::gateway {
namespace {

constexpr auto kInvalid = grpc::StatusCode::INVALID_ARGUMENT;

using GrpcValuesTest = DoorsTest;

// A short text and these further fields.
std::string Ask(absl::string_view fields) {
  return absl::StrCat("text:'hi' max_tokens:3 ", fields);
}

std::string Sample(absl::string_view fields) {
  return Ask(absl::StrCat("sampling{", fields, "}"));
}

std::string Biases(int count) {
  std::string fields;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&fields, "logit_bias{key:", i, " value:-1}");
  }
  return fields;
}

TEST_F(GrpcValuesTest, Inputs) {
  StartDoors();
  const std::string megabyte(1 << 20, 'm');
  CheckAll<GenerateRow>({
      {"Nothing", "", kInvalid},
      {"UnknownModel", Ask("model:'other'"), grpc::StatusCode::NOT_FOUND,
       "model_not_found", "model"},
      // Longer than any name: it is unknown like the others.
      {"ModelOfAMegabyte", Ask(absl::StrCat("model:'", megabyte, "'")),
       grpc::StatusCode::NOT_FOUND, "model_not_found", "model"},
      {"ModelWithLineEnd", Ask(R"(model:'a\nb')"), grpc::StatusCode::NOT_FOUND,
       "model_not_found", "model"},
      {"NoMessages", "messages{}", kInvalid, "invalid_value", "messages"},
      {"TooManyMessages",
       absl::StrCat("messages{",
                    Repeated(10'001, "messages{role:'user' content:''}"), "}"),
       kInvalid, "invalid_value", "messages"},
      {"UnknownRole", "messages{messages{role:'wizard' content:'x'}}", kInvalid,
       "invalid_value", "messages[0].role"},
      {"RoleTool", "messages{messages{role:'tool' content:'x'}}", kInvalid,
       "invalid_value", "messages[0].role"},
      {"RoleMissing", "messages{messages{content:'x'}}", kInvalid,
       "invalid_value", "messages[0].role"},
      {"TextEmpty", "text:''", kInvalid, "invalid_value", "text"},
      {"TextOfSpaces", "text:'  ' max_tokens:3"},
      {"IdsEmpty", "token_ids{}", kInvalid, "invalid_value", "token_ids"},
      {"TokenMinusOne", "token_ids{ids:-1}", kInvalid, "token_out_of_range",
       "token_ids[0]"},
      {"TokenBeyondTheVocabulary", "token_ids{ids:5 ids:2048}", kInvalid,
       "token_out_of_range", "token_ids[1]"},
      {"TokenLargest", "token_ids{ids:2147483647}", kInvalid,
       "token_out_of_range", "token_ids[0]"},
      {"TextOfAMegabyte", absl::StrCat("text:'", megabyte, "' max_tokens:3"),
       kInvalid, "context_length_exceeded"},
      {"FillsTheContext",
       absl::StrCat("token_ids{", Repeated(2040, "ids:5 "), "} max_tokens:8")},
      {"BeyondTheContextByOne",
       absl::StrCat("token_ids{", Repeated(2041, "ids:5 "), "} max_tokens:8"),
       kInvalid, "context_length_exceeded", "max_tokens"},
      {"MaxTokensLargest", "text:'x' max_tokens:4294967295", kInvalid,
       "context_length_exceeded", "max_tokens"},
  });
}

TEST_F(GrpcValuesTest, Sampling) {
  StartDoors();
  CheckAll<GenerateRow>({
      {"TemperatureNegative", Sample("temperature:-0.1"), kInvalid,
       "invalid_value", "temperature"},
      {"TemperatureBeyond", Sample("temperature:2.1"), kInvalid,
       "invalid_value", "temperature"},
      {"TemperatureNan", Sample("temperature:nan"), kInvalid, "invalid_value",
       "temperature"},
      {"TemperatureInfinite", Sample("temperature:inf"), kInvalid,
       "invalid_value", "temperature"},
      {"TemperatureTiny", Sample("temperature:1e-44")},
      {"TopPZero", Sample("top_p:0"), kInvalid, "invalid_value", "top_p"},
      {"TopPBeyond", Sample("top_p:1.1"), kInvalid, "invalid_value", "top_p"},
      {"TopPNan", Sample("top_p:nan"), kInvalid, "invalid_value", "top_p"},
      {"TopKNegative", Sample("top_k:-2"), kInvalid, "invalid_value", "top_k"},
      {"MinPBeyond", Sample("min_p:1.5"), kInvalid, "invalid_value", "min_p"},
      {"MinPNan", Sample("min_p:nan"), kInvalid, "invalid_value", "min_p"},
      {"PresencePenaltyBeyond", Sample("presence_penalty:2.1"), kInvalid,
       "invalid_value", "presence_penalty"},
      {"PresencePenaltyInfinite", Sample("presence_penalty:-inf"), kInvalid,
       "invalid_value", "presence_penalty"},
      {"FrequencyPenaltyBelow", Sample("frequency_penalty:-2.1"), kInvalid,
       "invalid_value", "frequency_penalty"},
      {"FrequencyPenaltyNan", Sample("frequency_penalty:nan"), kInvalid,
       "invalid_value", "frequency_penalty"},
      {"RepetitionPenaltyZero", Sample("repetition_penalty:0"), kInvalid,
       "invalid_value", "repetition_penalty"},
      {"SeedLargest", Sample("seed:18446744073709551615")},
      // A bias for every token is fine; HTTP's bound is that of its texts.
      {"BiasesAtTheLimit", Sample(Biases(2048))},
      {"BiasesBeyondTheLimit", Sample(Biases(2049)), kInvalid, "invalid_value",
       "logit_bias"},
      {"BiasOfTokenMinusOne", Sample("logit_bias{key:-1 value:1}"), kInvalid,
       "token_out_of_range", "logit_bias"},
      {"BiasBeyondTheVocabulary", Sample("logit_bias{key:2048 value:1}"),
       kInvalid, "token_out_of_range", "logit_bias"},
      {"BiasBeyond", Sample("logit_bias{key:5 value:101}"), kInvalid,
       "invalid_value", "logit_bias"},
      {"BiasNan", Sample("logit_bias{key:5 value:nan}"), kInvalid,
       "invalid_value", "logit_bias"},
  });
}

TEST_F(GrpcValuesTest, StopsAndNames) {
  StartDoors();
  CheckAll<GenerateRow>({
      {"StopsAtTheLimit", Ask(Repeated(16, "stop:'a' "))},
      {"StopsBeyondTheLimit", Ask(Repeated(17, "stop:'a' ")), kInvalid,
       "invalid_value", "stop"},
      {"StopEmpty", Ask("stop:''"), kInvalid, "invalid_value", "stop"},
      {"StopOfTenKilobytes",
       Ask(absl::StrCat("stop:'", std::string(10'000, 'a'), "'")), kInvalid,
       "invalid_value", "stop"},
      {"StopOfTokenIds", "token_ids{ids:5} max_tokens:3 stop:'a'", kInvalid,
       "invalid_value", "stop"},
      {"StopTokenBeyond", Ask("stop_token_ids:2048"), kInvalid,
       "token_out_of_range", "stop_token_ids[0]"},
      {"StopTokensAtTheLimit", Ask(Repeated(2048, "stop_token_ids:5 "))},
      {"StopTokensBeyondTheLimit", Ask(Repeated(2049, "stop_token_ids:5 ")),
       kInvalid, "invalid_value", "stop_token_ids"},
      {"LogprobsBeyond", Ask("logprobs:21"), kInvalid, "invalid_value",
       "logprobs"},
      {"LogprobsLargest", Ask("logprobs:4294967295"), kInvalid, "invalid_value",
       "logprobs"},
      {"PromptLogprobsAlone", Ask("prompt_logprobs:true"), kInvalid,
       "invalid_value", "prompt_logprobs"},
      {"PriorityBeyond", Ask("priority:8"), kInvalid, "invalid_value",
       "priority"},
      {"CacheSaltAtTheLimit",
       Ask(absl::StrCat("cache_salt:'", std::string(256, 's'), "'"))},
      {"CacheSaltTooLong",
       Ask(absl::StrCat("cache_salt:'", std::string(257, 's'), "'")), kInvalid,
       "invalid_value", "cache_salt"},
      {"RequestIdTooLong",
       Ask(absl::StrCat("request_id:'", std::string(129, 'r'), "'")), kInvalid,
       "invalid_value", "request_id"},
      {"RequestIdWithLineEnd", Ask(R"(request_id:'a\nb')"), kInvalid,
       "invalid_value", "request_id"},
  });
}

// The other methods.
TEST_F(GrpcValuesTest, UnaryCalls) {
  StartDoors();
  const auto detokenize = [this](std::initializer_list<int> ids) {
    v1::DetokenizeRequest request;
    request.mutable_ids()->Add(ids.begin(), ids.end());
    grpc::ClientContext context;
    v1::DetokenizeResponse response;
    return ReplyOf(FreshStub()->Detokenize(&context, request, &response),
                   context);
  };
  for (const int id : {-1, 2048}) {
    const GrpcReply reply = detokenize({id});
    EXPECT_EQ(reply.status, kInvalid);
    EXPECT_EQ(reply.code, "token_out_of_range");
    EXPECT_EQ(reply.param, "ids[0]");
  }
  EXPECT_EQ(detokenize({}).status, grpc::StatusCode::OK);
  {
    grpc::ClientContext context;
    v1::TokenizeResponse response;
    EXPECT_EQ(FreshStub()->Tokenize(&context, {}, &response).error_code(),
              kInvalid);
  }
  for (const char* name : {"nothing", "", "a\nb"}) {
    grpc::ClientContext context;
    v1::CancelRequest request;
    request.set_request_id(name);
    v1::CancelResponse response;
    EXPECT_EQ(
        FreshStub()->Cancel(&context, request, &response).error_code(),
        std::string(name) == "a\nb" ? kInvalid : grpc::StatusCode::NOT_FOUND);
  }
  ExpectUnharmed();
}

}  // namespace
}  // namespace mesh::gateway
