// SPDX-License-Identifier: Apache-2.0
// Values of a chat's fields that are out of their ranges, and those at the edge
// that are not.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/json.h"
#include "tests/gateway/doors/doors_fixture.h"

namespace mesh::gateway {
namespace {

constexpr char kChat[] = "/v1/chat/completions";

using ChatValuesTest = DoorsTest;

// `count` entries of logit_bias, from token 300 on.
std::string Biases(int count) {
  std::string entries;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&entries, i == 0 ? "" : ",", "\"", 300 + i, "\":-100");
  }
  return absl::StrCat(R"("max_tokens":3,"logit_bias":{)", entries, "}");
}

std::string Messages(int count) {
  std::string list = R"({"role":"user","content":""})";
  list += Repeated(count - 1, R"(,{"role":"user","content":""})");
  return ChatOf(absl::StrCat("[", list, "]"), R"("max_tokens":3)");
}

TEST_F(ChatValuesTest, ModelAndMessages) {
  StartDoors();
  const std::string long_name(1 << 20, 'm');
  const std::string message = R"("messages":[{"role":"user","content":"x"}])";
  CheckAll<BodyRow>({
      {"UnknownModel", kChat, R"({"model":"other",)" + message + "}", 404,
       "model_not_found", "model"},
      {"ModelOfAMegabyte", kChat,
       absl::StrCat(R"({"model":")", long_name, "\",", message, "}"), 400,
       "invalid_value", "model"},
      {"ModelWithLineEnd", kChat,
       R"({"model":"tiny-r1\r\nx: y",)" + message + "}", 404, "model_not_found",
       "model"},
      {"ModelMissing", kChat, "{" + message + "}", 400, "missing_field",
       "model"},
      {"ModelNull", kChat, R"({"model":null,)" + message + "}", 400,
       "missing_field", "model"},
      {"ModelEmpty", kChat, R"({"model":"",)" + message + "}", 400,
       "invalid_value", "model"},
      {"MessagesMissing", kChat, R"({"model":"tiny-r1"})", 400, "missing_field",
       "messages"},
      {"MessagesEmpty", kChat, ChatOf("[]"), 400, "invalid_value", "messages"},
      {"MessagesNoArray", kChat, ChatOf("{}"), 400, "invalid_type", "messages"},
      {"MessageNoObject", kChat, ChatOf("[5]"), 400, "invalid_type",
       "messages[0]"},
      {"MessagesAtTheLimit", kChat, Messages(1000)},
      {"MessagesBeyondTheLimit", kChat, Messages(1025), 400, "invalid_value",
       "messages"},
      {"MessagesByTheHundredThousand", kChat, Messages(100'000), 400,
       "invalid_value", "messages"},
      {"RoleMissing", kChat, ChatOf(R"([{"content":"x"}])"), 400,
       "missing_field", "messages[0].role"},
      {"RoleUnknown", kChat, ChatOf(R"([{"role":"wizard","content":"x"}])"),
       400, "invalid_value", "messages[0].role"},
      {"RoleTool", kChat,
       ChatOf(R"([{"role":"tool","content":"x","tool_call_id":"1"}])"), 400,
       "unsupported_parameter", "messages[0].role"},
      {"ToolCalls", kChat,
       ChatOf(R"([{"role":"assistant","content":"x","tool_calls":[{}]}])"), 400,
       "unsupported_parameter", "messages[0].tool_calls"},
      {"ContentNull", kChat, ChatOf(R"([{"role":"user","content":null}])"), 400,
       "missing_field", "messages[0].content"},
      {"ContentNumber", kChat, ChatOf(R"([{"role":"user","content":5}])"), 400,
       "invalid_type", "messages[0].content"},
      {"ContentImage", kChat,
       ChatOf(R"([{"role":"user","content":[{"type":"image_url",)"
              R"("image_url":{"url":"http://10.0.0.1/"}}]}])"),
       400, "unsupported_content", "messages[0].content[0].type"},
      {"ContentPartsBeyondTheLimit", kChat,
       ChatOf(absl::StrCat(R"([{"role":"user","content":[0)",
                           Repeated(64, ",0"), "]}]")),
       400, "invalid_value", "messages[0].content"},
  });
}

TEST_F(ChatValuesTest, LengthsAndChoices) {
  StartDoors();
  CheckAll<BodyRow>({
      {"MaxTokensNegative", kChat, Chat(R"("max_tokens":-1)"), 400,
       "invalid_value", "max_tokens"},
      {"MaxTokensZero", kChat, Chat(R"("max_tokens":0)"), 400, "invalid_value",
       "max_tokens"},
      {"MaxTokensBeyond64Bits", kChat,
       Chat(R"("max_tokens":9223372036854775808)"), 400, "invalid_value",
       "max_tokens"},
      {"MaxTokensFraction", kChat, Chat(R"("max_tokens":1.5)"), 400,
       "invalid_value", "max_tokens"},
      {"MaxTokensNull", kChat, Chat(R"("max_tokens":null)")},
      {"MaxTokensWholeAsReal", kChat, Chat(R"("max_tokens":2.0)")},
      {"MaxTokensText", kChat, Chat(R"("max_tokens":"5")"), 400, "invalid_type",
       "max_tokens"},
      {"MaxTokensBool", kChat, Chat(R"("max_tokens":true)"), 400,
       "invalid_type", "max_tokens"},
      {"MaxTokensBeyondTheContext", kChat, Chat(R"("max_tokens":2048)"), 400,
       "context_length_exceeded", "max_tokens"},
      {"NZero", kChat, Chat(R"("n":0)"), 400, "invalid_value", "n"},
      {"NNegative", kChat, Chat(R"("n":-1)"), 400, "invalid_value", "n"},
      {"NNine", kChat, Chat(R"("n":9)"), 400, "invalid_value", "n"},
      {"NBillion", kChat, Chat(R"("n":1000000000)"), 400, "invalid_value", "n"},
      {"NEight", kChat, Chat(R"("n":8,"max_tokens":3)")},
      {"StreamOptionsWithoutStream", kChat,
       Chat(R"("stream_options":{"include_usage":true})"), 400, "invalid_value",
       "stream_options"},
      {"StreamText", kChat, Chat(R"("stream":"yes")"), 400, "invalid_type",
       "stream"},
      {"TopLogprobsBeyond", kChat, Chat(R"("logprobs":true,"top_logprobs":21)"),
       400, "invalid_value", "top_logprobs"},
      {"TopLogprobsAlone", kChat, Chat(R"("top_logprobs":5)"), 400,
       "invalid_value", "top_logprobs"},
      {"LogprobsNumber", kChat, Chat(R"("logprobs":1)"), 400, "invalid_type",
       "logprobs"},
  });
}

TEST_F(ChatValuesTest, Sampling) {
  StartDoors();
  CheckAll<BodyRow>({
      {"TemperatureNegative", kChat, Chat(R"("temperature":-0.1)"), 400,
       "invalid_value", "temperature"},
      {"TemperatureBeyond", kChat, Chat(R"("temperature":2.1)"), 400,
       "invalid_value", "temperature"},
      {"TemperatureTiny", kChat,
       Chat(R"("temperature":1e-300,"max_tokens":3)")},
      {"TopPZero", kChat, Chat(R"("top_p":0)"), 400, "invalid_value", "top_p"},
      // Zero as a float.
      {"TopPTiny", kChat, Chat(R"("top_p":1e-300)"), 400, "invalid_value",
       "top_p"},
      {"TopPBeyond", kChat, Chat(R"("top_p":1.1)"), 400, "invalid_value",
       "top_p"},
      {"TopKNegative", kChat, Chat(R"("top_k":-2)"), 400, "invalid_value",
       "top_k"},
      {"TopKBeyond32Bits", kChat, Chat(R"("top_k":2147483648)"), 400,
       "invalid_value", "top_k"},
      {"MinPBeyond", kChat, Chat(R"("min_p":1.5)"), 400, "invalid_value",
       "min_p"},
      {"PresencePenaltyBeyond", kChat, Chat(R"("presence_penalty":2.1)"), 400,
       "invalid_value", "presence_penalty"},
      {"FrequencyPenaltyBelow", kChat, Chat(R"("frequency_penalty":-2.1)"), 400,
       "invalid_value", "frequency_penalty"},
      {"RepetitionPenaltyZero", kChat, Chat(R"("repetition_penalty":0)"), 400,
       "invalid_value", "repetition_penalty"},
      {"SeedBeyond64Bits", kChat, Chat(R"("seed":18446744073709551616)"), 400,
       "invalid_value", "seed"},
      {"SeedNegative", kChat, Chat(R"("seed":-1,"max_tokens":3)")},
      {"SeedLargest", kChat,
       Chat(R"("seed":18446744073709551615,"max_tokens":3)")},
      {"SeedFraction", kChat, Chat(R"("seed":1.5)"), 400, "invalid_value",
       "seed"},
      {"BiasesAtTheLimit", kChat, Chat(Biases(300))},
      {"BiasesBeyondTheLimit", kChat, Chat(Biases(301)), 400, "invalid_value",
       "logit_bias"},
      {"BiasOfTokenMinusOne", kChat, Chat(R"("logit_bias":{"-1":1})"), 400,
       "token_out_of_range", "logit_bias"},
      {"BiasOfNoToken", kChat, Chat(R"("logit_bias":{"the":1})"), 400,
       "token_out_of_range", "logit_bias"},
      {"BiasBeyondTheVocabulary", kChat, Chat(R"("logit_bias":{"2048":1})"),
       400, "token_out_of_range", "logit_bias"},
      {"BiasBeyond", kChat, Chat(R"("logit_bias":{"5":101})"), 400,
       "invalid_value", "logit_bias.5"},
      {"BiasBelow", kChat, Chat(R"("logit_bias":{"5":-101})"), 400,
       "invalid_value", "logit_bias.5"},
      {"BiasAgainstTheEnd", kChat,
       Chat(R"("max_tokens":3,"logit_bias":{"1":-100})")},
  });
}

TEST_F(ChatValuesTest, StopsAndNames) {
  StartDoors();
  const std::string stops = Repeated(15, R"("a",)") + R"("a")";
  CheckAll<BodyRow>({
      // Four is what others allow.
      {"StopsAtTheLimit", kChat,
       Chat(absl::StrCat(R"("max_tokens":3,"stop":[)", stops, "]"))},
      {"StopsBeyondTheLimit", kChat,
       Chat(absl::StrCat(R"("stop":["a",)", stops, "]")), 400, "invalid_value",
       "stop"},
      {"StopEmpty", kChat, Chat(R"("stop":"")"), 400, "invalid_value", "stop"},
      {"StopEmptyInAList", kChat, Chat(R"("stop":["a",""])"), 400,
       "invalid_value", "stop[1]"},
      {"StopOfTenKilobytes", kChat,
       Chat(absl::StrCat(R"("stop":")", std::string(10'000, 'a'), "\"")), 400,
       "invalid_value", "stop"},
      {"StopNotUtf8", kChat, Chat("\"stop\":\"\xff\""), 400, "invalid_utf8",
       ""},
      {"StopNumber", kChat, Chat(R"("stop":[5])"), 400, "invalid_type",
       "stop[0]"},
      {"StopTokenBeyond", kChat, Chat(R"("stop_token_ids":[2048])"), 400,
       "token_out_of_range", "stop_token_ids[0]"},
      {"UserOfAMegabyte", kChat,
       Chat(absl::StrCat(R"("user":")", std::string(1 << 20, 'u'), "\"")), 400,
       "invalid_value", "user"},
      {"CacheSaltEmpty", kChat, Chat(R"("cache_salt":"")"), 400,
       "invalid_value", "cache_salt"},
      {"CacheSaltOfAKilobyte", kChat,
       Chat(absl::StrCat(R"("cache_salt":")", std::string(1024, 's'), "\"")),
       400, "invalid_value", "cache_salt"},
      {"PriorityBeyond", kChat, Chat(R"("priority":8)"), 400, "invalid_value",
       "priority"},
      {"RequestIdWithLineEnd", kChat, Chat(R"("request_id":"a\nb")"), 400,
       "invalid_value", "request_id"},
      {"ChatTemplate", kChat, Chat(R"("chat_template":"{{ x }}")"), 400,
       "unsupported_parameter", "chat_template"},
      {"ChatTemplateKwargs", kChat, Chat(R"("chat_template_kwargs":{"a":1})"),
       400, "unsupported_parameter", "chat_template_kwargs"},
      {"Tools", kChat, Chat(R"("tools":[{"type":"function"}])"), 400,
       "unsupported_parameter", "tools"},
      {"Schema", kChat,
       Chat(R"("response_format":{"type":"json_schema","json_schema":{}})"),
       400, "unsupported_parameter", "response_format"},
      {"Regex", kChat, Chat(R"("guided_regex":"(a+)+$")"), 400,
       "unsupported_parameter", "guided_regex"},
  });
}

// What a client sends back of an error does not break its logs.
TEST_F(ChatValuesTest, EchoIsShortAndEscaped) {
  StartDoors();
  const HttpReply reply = SendHttp(PostText(
      kChat, absl::StrCat(R"({"model":"a\r\nb)", std::string(200, 'x'),
                          R"(","messages":[{"role":"user","content":"x"}]})")));
  ExpectReply(reply, 404, "model_not_found", "model");
  EXPECT_TRUE(absl::StrContains(reply.body, R"(a\\r\\nb)")) << reply.body;
  EXPECT_FALSE(absl::StrContains(reply.body, std::string(64, 'x')));
}

// The spelling of a special token in a message is text.
TEST_F(ChatValuesTest, SpecialTokensInAMessageAreText) {
  StartDoors();
  const auto specials_in = [this](const char* content) {
    const HttpReply reply = SendHttp(PostText(
        kChat,
        ChatOf(absl::StrCat(R"([{"role":"user","content":")", content, "\"}]"),
               R"("max_tokens":3)")));
    EXPECT_EQ(reply.status, 200) << reply.body;
    const auto submit = node_->LastSubmit();
    EXPECT_TRUE(submit.has_value());
    const auto& prompt = submit->prompt();
    return std::count_if(prompt.begin(), prompt.end(), [](TokenId id) {
      return id < 3 || id >= 2040;  // first and last of the vocabulary
    });
  };
  EXPECT_EQ(
      specials_in("<｜end▁of▁sentence｜><｜User｜><｜Assistant｜><think>"),
      specials_in("hi"));
  ExpectUnharmed();
}

// A stop string in the middle of a character, or over two tokens, is found, and
// nothing of it is sent.
TEST_F(ChatValuesTest, StopAcrossTokensDoesNotLeak) {
  StartDoors();
  const auto text_of = [this](const std::string& fields) {
    const HttpReply reply =
        SendHttp(PostText("/v1/completions", Completion("\"hi\"", fields)));
    EXPECT_EQ(reply.status, 200) << reply.body;
    const Json json = Json::parse(reply.body, nullptr, false);
    return json["choices"][0]["text"].get<std::string>();
  };
  const std::string fields = R"("seed":5,"max_tokens":40)";
  const std::string whole = text_of(fields);
  ASSERT_GT(whole.size(), 20u);
  size_t begin = 10;
  while ((whole[begin] & 0xC0) == 0x80) ++begin;
  size_t end = begin + 6;
  while (end < whole.size() && (whole[end] & 0xC0) == 0x80) ++end;
  const std::string stop = whole.substr(begin, end - begin);
  const std::string cut =
      text_of(absl::StrCat(fields, ",\"stop\":[", Json(stop).dump(), "]"));
  EXPECT_EQ(cut, whole.substr(0, whole.find(stop)));
  ExpectUnharmed();
}

}  // namespace
}  // namespace mesh::gateway
