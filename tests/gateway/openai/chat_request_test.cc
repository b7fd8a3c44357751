// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/chat_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

constexpr char kMessages[] = R"("messages":[{"role":"user","content":"Hi"}])";

// A request that is right, with more fields.
std::string With(absl::string_view fields) {
  return absl::StrCat(R"({"model":"m",)", kMessages, ",", fields, "}");
}

std::string WithMessages(absl::string_view messages) {
  return absl::StrCat(R"({"model":"m","messages":)", messages, "}");
}

ChatRequest Parsed(absl::string_view body) {
  auto request = ParseChatRequest(body);
  EXPECT_TRUE(request.ok()) << body << ": " << request.status();
  return request.ok() ? *std::move(request) : ChatRequest();
}

std::string Many(absl::string_view item, int count) {
  std::string list;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&list, i == 0 ? "[" : ",", item);
  }
  absl::StrAppend(&list, "]");
  return list;
}

std::string Entries(int count) {
  std::string entries;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&entries, i == 0 ? "{" : ",", "\"", i, "\":1");
  }
  absl::StrAppend(&entries, "}");
  return entries;
}

TEST(ChatRequest, TheLeast) {
  const ChatRequest request = Parsed(With(R"("unknown":{"a":[1]})"));
  EXPECT_EQ(request.input.model, "m");
  const auto& messages = std::get<Messages>(request.input.prompt);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].role, "user");
  EXPECT_EQ(messages[0].content, "Hi");
  EXPECT_EQ(request.n, 1);
  EXPECT_FALSE(request.stream.stream);
  EXPECT_EQ(request.input.max_tokens, 0U);
  EXPECT_FALSE(request.input.logprobs.has_value());
  EXPECT_FALSE(request.input.thinking.has_value());
  EXPECT_FALSE(request.input.sampling.temperature.has_value());
  EXPECT_EQ(request.reasoning_format, ReasoningFormat::kSeparate);
}

TEST(ChatRequest, EveryField) {
  const ChatRequest request = Parsed(With(
      R"("max_tokens":7,"max_completion_tokens":9,"temperature":0.5,)"
      R"("top_p":0.25,"top_k":40,"min_p":0.125,"presence_penalty":-2,)"
      R"("frequency_penalty":2,"repetition_penalty":1.5,"seed":-1,)"
      R"("logit_bias":{"5":-100,"6":100.0},"n":3,"stop":["a","b"],)"
      R"("stop_token_ids":[7],"ignore_eos":true,"stream":true,)"
      R"("stream_options":{"include_usage":true,)"
      R"("continuous_usage_stats":true},"logprobs":true,"top_logprobs":20,)"
      R"("response_format":{"type":"text"},"tools":[],"tool_choice":"none",)"
      R"("parallel_tool_calls":true,"user":"u","metadata":{"k":"v"},)"
      R"("store":false,"service_tier":"auto","priority":3,"cache_salt":"s",)"
      R"("request_id":"r-1","reasoning_format":"inline",)"
      R"("modalities":["text"],"thinking":{"type":"disabled"})"));
  EXPECT_EQ(request.input.max_tokens, 9U);
  const SamplingInput& sampling = request.input.sampling;
  EXPECT_EQ(sampling.temperature, 0.5F);
  EXPECT_EQ(sampling.top_p, 0.25F);
  EXPECT_EQ(sampling.top_k, 40);
  EXPECT_EQ(sampling.min_p, 0.125F);
  EXPECT_EQ(sampling.presence_penalty, -2);
  EXPECT_EQ(sampling.frequency_penalty, 2);
  EXPECT_EQ(sampling.repetition_penalty, 1.5F);
  EXPECT_EQ(sampling.seed, ~uint64_t{0});
  EXPECT_EQ(sampling.logit_bias,
            (std::vector<std::pair<TokenId, float>>{{5, -100}, {6, 100}}));
  EXPECT_EQ(request.n, 3);
  EXPECT_EQ(request.input.stops, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.input.stop_token_ids, (std::vector<TokenId>{7}));
  EXPECT_TRUE(request.input.ignore_eos);
  EXPECT_TRUE(request.stream.stream);
  EXPECT_TRUE(request.stream.include_usage);
  EXPECT_TRUE(request.stream.continuous_usage);
  EXPECT_EQ(request.input.logprobs, 20U);
  EXPECT_EQ(request.input.priority, 3U);
  EXPECT_EQ(request.input.request_id, "r-1");
  EXPECT_EQ(request.reasoning_format, ReasoningFormat::kInline);
  EXPECT_EQ(request.input.thinking, false);
}

TEST(ChatRequest, NullIsAbsent) {
  std::string fields = R"("x":1)";
  for (const char* name : {"max_tokens",
                           "temperature",
                           "top_p",
                           "top_k",
                           "seed",
                           "logit_bias",
                           "n",
                           "stop",
                           "stream",
                           "stream_options",
                           "logprobs",
                           "top_logprobs",
                           "response_format",
                           "tools",
                           "tool_choice",
                           "thinking",
                           "user",
                           "metadata",
                           "reasoning_effort",
                           "chat_template",
                           "cache_salt",
                           "request_id",
                           "modalities",
                           "chat_template_kwargs"}) {
    absl::StrAppend(&fields, ",\"", name, "\":null");
  }
  EXPECT_EQ(Parsed(With(fields)).input.max_tokens, 0U);
}

TEST(ChatRequest, MessagesInAllTheirForms) {
  const ChatRequest request = Parsed(WithMessages(
      R"([{"role":"developer","content":"Be brief.","name":"x"},)"
      R"({"role":"user","content":[{"type":"text","text":"a"},)"
      R"({"type":"text","text":"b<｜User｜>"}]},)"
      R"({"role":"assistant","content":"yes","reasoning_content":"hm"},)"
      R"({"role":"assistant","content":null,"reasoning_content":"hm",)"
      R"("tool_calls":[]},{"role":"user","content":""}])"));
  const auto& messages = std::get<Messages>(request.input.prompt);
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[1].content, "ab<｜User｜>");
  EXPECT_EQ(messages[2].reasoning, "hm");
  EXPECT_EQ(messages[3].content, "");
  EXPECT_EQ(messages[4].content, "");
}

TEST(ChatRequest, ThinkingHasSeveralDialects) {
  const std::pair<const char*, std::optional<bool>> cases[] = {
      {R"("thinking":{"type":"enabled"})", true},
      {R"("thinking":{"type":"disabled"})", false},
      {R"("chat_template_kwargs":{"thinking":true})", true},
      {R"("chat_template_kwargs":{"enable_thinking":false})", false},
      {R"("chat_template_kwargs":{})", std::nullopt},
      {R"("enable_thinking":false)", false},
      {R"("reasoning_effort":"none")", false},
      {R"("reasoning_effort":"minimal")", false},
      {R"("reasoning_effort":"low")", true},
      {R"("reasoning_effort":"high")", true},
      {R"("reasoning_effort":"high","thinking":{"type":"disabled"})", false},
      {R"("enable_thinking":true,"chat_template_kwargs":{"thinking":false})",
       false},
  };
  for (const auto& [fields, thinking] : cases) {
    EXPECT_EQ(Parsed(With(fields)).input.thinking, thinking) << fields;
  }
}

TEST(ChatRequest, NumbersAtTheirBounds) {
  EXPECT_EQ(Parsed(With(R"("max_tokens":1.0)")).input.max_tokens, 1U);
  EXPECT_EQ(Parsed(With(R"("n":1e0)")).n, 1);
  EXPECT_EQ(Parsed(With(R"("temperature":-0)")).input.sampling.temperature, 0);
  EXPECT_EQ(Parsed(With(R"("temperature":1e-300)")).input.sampling.temperature,
            0);
  EXPECT_EQ(Parsed(With(R"("temperature":2)")).input.sampling.temperature, 2);
  EXPECT_EQ(Parsed(With(R"("top_k":-1)")).input.sampling.top_k, 0);
  EXPECT_EQ(Parsed(With(R"("seed":18446744073709551615)")).input.sampling.seed,
            ~uint64_t{0});
  EXPECT_EQ(Parsed(With(R"("stop":"one")")).input.stops.size(), 1U);
  EXPECT_EQ(Parsed(With(absl::StrCat(R"("stop":)", Many(R"("a")", 16))))
                .input.stops.size(),
            16U);
  EXPECT_EQ(Parsed(With(absl::StrCat(R"("logit_bias":)", Entries(300))))
                .input.sampling.logit_bias.size(),
            300U);
  Parsed(WithMessages(Many(R"({"role":"user","content":"a"})", 1024)));
}

struct BadRequest {
  std::string body;
  std::string code;
  std::string param;
};

void ExpectRefused(const std::vector<BadRequest>& rows) {
  for (const BadRequest& row : rows) {
    const auto request = ParseChatRequest(row.body);
    const std::string begin = row.body.substr(0, 200);
    ASSERT_FALSE(request.ok()) << begin;
    EXPECT_TRUE(absl::IsInvalidArgument(request.status())) << begin;
    const ApiErrorDetails details = DetailsOf(request.status());
    EXPECT_EQ(details.code, row.code) << begin << request.status();
    EXPECT_EQ(details.param, row.param) << begin << request.status();
    EXPECT_LT(request.status().message().size(), 400U) << begin;
  }
}

TEST(ChatRequest, BadJson) {
  ExpectRefused({
      {"", "invalid_json", ""},
      {"null", "invalid_json", ""},
      {"[]", "invalid_json", ""},
      {"\"x\"", "invalid_json", ""},
      {"{}", "missing_field", "model"},
      {R"({"model":"m"})", "missing_field", "messages"},
      {R"({"model":null,"messages":[]})", "missing_field", "model"},
      {With(R"("a":NaN)"), "invalid_json", ""},
      {With(R"("a":1,)"), "invalid_json", ""},
      {With(R"("a":1)") + "x", "invalid_json", ""},
      {std::string(100000, '['), "too_deep", ""},
      {absl::StrCat(R"({"a":)", Entries(321), "}"), "too_many_keys", ""},
      {With(R"("model":"n")"), "duplicate_key", ""},
      {With("\"a\":\"\xff\""), "invalid_utf8", ""},
      {With(R"("user":"\ud800")"), "invalid_utf8", ""},
      {With(R"("stop":"\udc00")"), "invalid_utf8", ""},
      {With(R"("seed":1e999999)"), "number_out_of_range", ""},
      {absl::StrCat(With(absl::StrCat(R"("n":)", std::string(400, '9')))),
       "number_out_of_range", ""},
  });
}

TEST(ChatRequest, BadTypes) {
  ExpectRefused({
      {With(R"("max_tokens":"5")"), "invalid_type", "max_tokens"},
      {With(R"("stream":1)"), "invalid_type", "stream"},
      {With(R"("temperature":true)"), "invalid_type", "temperature"},
      {With(R"("n":[1])"), "invalid_type", "n"},
      {With(R"("seed":"1")"), "invalid_type", "seed"},
      {With(R"("stop":5)"), "invalid_type", "stop"},
      {With(R"("stop":["a",5])"), "invalid_type", "stop[1]"},
      {With(R"("logit_bias":[])"), "invalid_type", "logit_bias"},
      {With(R"("logit_bias":{"5":"1"})"), "invalid_type", "logit_bias.5"},
      {With(R"("thinking":true)"), "invalid_type", "thinking"},
      {With(R"("thinking":{"type":1})"), "invalid_type", "thinking.type"},
      {With(R"("thinking":{})"), "missing_field", "thinking.type"},
      {With(R"("chat_template_kwargs":{"thinking":1})"), "invalid_type",
       "chat_template_kwargs.thinking"},
      {With(R"("stream":true,"stream_options":{"include_usage":1})"),
       "invalid_type", "stream_options.include_usage"},
      {With(R"("response_format":"text")"), "invalid_type", "response_format"},
      {With(R"("tools":{})"), "invalid_type", "tools"},
      {With(R"("user":5)"), "invalid_type", "user"},
      {With(R"("metadata":{"a":1})"), "invalid_type", "metadata"},
      {With(R"("stop_token_ids":5)"), "invalid_type", "stop_token_ids"},
      {With(R"("reasoning_effort":5)"), "invalid_type", "reasoning_effort"},
      {R"({"model":5})", "invalid_type", "model"},
      {WithMessages("{}"), "invalid_type", "messages"},
      {WithMessages("[5]"), "invalid_type", "messages[0]"},
      {WithMessages(R"([{"role":5}])"), "invalid_type", "messages[0].role"},
      {WithMessages(R"([{"role":"user","content":5}])"), "invalid_type",
       "messages[0].content"},
      {WithMessages(R"([{"role":"user","content":"a"},)"
                    R"({"role":"user","content":"a"},)"
                    R"({"role":"user","content":[{"type":5}]}])"),
       "invalid_type", "messages[2].content[0].type"},
      {WithMessages(
           R"([{"role":"user","content":[{"type":"text","text":1}]}])"),
       "invalid_type", "messages[0].content[0].text"},
      {WithMessages(R"([{"role":"user","content":["a"]}])"), "invalid_type",
       "messages[0].content[0]"},
      {WithMessages(R"([{"role":"user","content":"a","prefix":1}])"),
       "invalid_type", "messages[0].prefix"},
  });
}

TEST(ChatRequest, BadMessages) {
  ExpectRefused({
      {WithMessages("[]"), "invalid_value", "messages"},
      {WithMessages(Many(R"({"role":"user","content":"a"})", 1025)),
       "invalid_value", "messages"},
      {WithMessages("[{}]"), "missing_field", "messages[0].role"},
      {WithMessages(R"([{"role":"wizard","content":"a"}])"), "invalid_value",
       "messages[0].role"},
      {WithMessages(R"([{"role":"tool","content":"a"}])"),
       "unsupported_parameter", "messages[0].role"},
      {WithMessages(R"([{"role":"user","content":null}])"), "missing_field",
       "messages[0].content"},
      {WithMessages(R"([{"role":"assistant","content":null,)"
                    R"("tool_calls":[{}]}])"),
       "unsupported_parameter", "messages[0].tool_calls"},
      {WithMessages(R"([{"role":"assistant","content":"a","prefix":true}])"),
       "unsupported_parameter", "messages[0].prefix"},
      {WithMessages(R"([{"role":"user","content":[{"type":"image_url",)"
                    R"("image_url":{"url":"http://x"}}]}])"),
       "unsupported_content", "messages[0].content[0].type"},
      {WithMessages(absl::StrCat(R"([{"role":"user","content":)",
                                 Many(R"({"type":"text","text":"a"})", 65),
                                 "}]")),
       "invalid_value", "messages[0].content"},
  });
}

TEST(ChatRequest, BadValues) {
  const std::string long_text(513, 'u');
  ExpectRefused({
      {absl::StrCat(R"({"model":")", std::string(1 << 20, 'm'), "\",",
                    kMessages, "}"),
       "invalid_value", "model"},
      {absl::StrCat(R"({"model":"",)", kMessages, "}"), "invalid_value",
       "model"},
      {With(R"("max_tokens":-1)"), "invalid_value", "max_tokens"},
      {With(R"("max_tokens":0)"), "invalid_value", "max_tokens"},
      {With(R"("max_tokens":9223372036854775808)"), "invalid_value",
       "max_tokens"},
      {With(R"("max_tokens":1.5)"), "invalid_value", "max_tokens"},
      {With(R"("max_completion_tokens":0)"), "invalid_value",
       "max_completion_tokens"},
      {With(R"("n":0)"), "invalid_value", "n"},
      {With(R"("n":-1)"), "invalid_value", "n"},
      {With(R"("n":9)"), "invalid_value", "n"},
      {With(R"("n":1000000000)"), "invalid_value", "n"},
      {With(R"("temperature":-0.1)"), "invalid_value", "temperature"},
      {With(R"("temperature":2.1)"), "invalid_value", "temperature"},
      {With(R"("top_p":0)"), "invalid_value", "top_p"},
      {With(R"("top_p":1e-300)"), "invalid_value", "top_p"},
      {With(R"("top_p":1.1)"), "invalid_value", "top_p"},
      {With(R"("top_k":-2)"), "invalid_value", "top_k"},
      {With(R"("top_k":2147483648)"), "invalid_value", "top_k"},
      {With(R"("min_p":1.5)"), "invalid_value", "min_p"},
      {With(R"("presence_penalty":2.1)"), "invalid_value", "presence_penalty"},
      {With(R"("frequency_penalty":-2.1)"), "invalid_value",
       "frequency_penalty"},
      {With(R"("repetition_penalty":0)"), "invalid_value",
       "repetition_penalty"},
      {With(absl::StrCat(R"("logit_bias":)", Entries(301))), "invalid_value",
       "logit_bias"},
      {With(R"("logit_bias":{"-1":1})"), "token_out_of_range", "logit_bias"},
      {With(R"("logit_bias":{"a":1})"), "token_out_of_range", "logit_bias"},
      {With(R"("logit_bias":{"5":101})"), "invalid_value", "logit_bias.5"},
      {With(R"("logit_bias":{"5":-101})"), "invalid_value", "logit_bias.5"},
      {With(absl::StrCat(R"("stop":)", Many(R"("a")", 17))), "invalid_value",
       "stop"},
      {With(R"("stop":"")"), "invalid_value", "stop"},
      {With(R"("stop":["a",""])"), "invalid_value", "stop[1]"},
      {With(absl::StrCat(R"("stop":")", std::string(10000, 's'), "\"")),
       "invalid_value", "stop"},
      {With(R"("logprobs":true,"top_logprobs":21)"), "invalid_value",
       "top_logprobs"},
      {With(R"("top_logprobs":2)"), "invalid_value", "top_logprobs"},
      {With(R"("seed":18446744073709551616)"), "invalid_value", "seed"},
      {With(R"("seed":1.5)"), "invalid_value", "seed"},
      {With(R"("stop_token_ids":[-1])"), "token_out_of_range",
       "stop_token_ids[0]"},
      {With(R"("stream_options":{"include_usage":true})"), "invalid_value",
       "stream_options"},
      {With(absl::StrCat(R"("user":")", long_text, "\"")), "invalid_value",
       "user"},
      {With(absl::StrCat(R"("metadata":{"k":")", long_text, "\"}")),
       "invalid_value", "metadata"},
      {With(R"("cache_salt":"")"), "invalid_value", "cache_salt"},
      {With(absl::StrCat(R"("cache_salt":")", long_text, "\"")),
       "invalid_value", "cache_salt"},
      {With(R"("priority":8)"), "invalid_value", "priority"},
      {With(R"("request_id":"a b")"), "invalid_value", "request_id"},
      {With(R"("reasoning_effort":"much")"), "invalid_value",
       "reasoning_effort"},
      {With(R"("reasoning_format":"loud")"), "invalid_value",
       "reasoning_format"},
      {With(R"("thinking":{"type":"auto"})"), "invalid_value", "thinking.type"},
  });
}

TEST(ChatRequest, UnsupportedFields) {
  std::vector<BadRequest> rows = {
      {With(R"("tools":[{"type":"function"}])"), "unsupported_parameter",
       "tools"},
      {With(R"("tool_choice":"auto")"), "unsupported_parameter", "tool_choice"},
      {With(R"("response_format":{"type":"json_object"})"),
       "unsupported_parameter", "response_format"},
      {With(R"("chat_template_kwargs":{"thinking":true,"x":1})"),
       "unsupported_parameter", "chat_template_kwargs"},
      {With(R"("modalities":["text","audio"])"), "unsupported_parameter",
       "modalities"},
  };
  for (const absl::string_view name : UnsupportedFields()) {
    rows.push_back({With(absl::StrCat("\"", name, "\":{\"a\":1}")),
                    "unsupported_parameter", std::string(name)});
  }
  ExpectRefused(rows);
}

}  // namespace
}  // namespace mesh::gateway
