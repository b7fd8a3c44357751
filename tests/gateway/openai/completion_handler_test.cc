// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/openai/openai_handlers.h"
#include "tests/gateway/openai/openai_fixture.h"

namespace mesh::gateway {
namespace {

constexpr char kPath[] = "/v1/completions";

std::string Complete(absl::string_view fields) {
  return absl::StrCat(R"({"model":"tiny-r1",)", fields, "}");
}

using CompletionHandler = OpenAiTest;

TEST_F(CompletionHandler, TextGoesOn) {
  Serve();
  const auto client = Post(kPath, Complete(R"("prompt":"Once","seed":1)"));
  const Submission stream = node_->AwaitSubmissions(1)[0];
  EXPECT_EQ(stream.sampling.max_tokens, 16);
  std::vector<TokenId> prompt = Ids("Once");
  prompt.insert(prompt.begin(), 0);
  EXPECT_EQ(stream.prompt, prompt);
  Emit(stream, Ids(" upon a time"));
  Emit(stream, {1}, FinishReason::kStop);
  const Json body = JsonOf(client->AwaitResponse());
  EXPECT_EQ(body["object"], "text_completion");
  EXPECT_EQ(body["id"].get<std::string>().substr(0, 5), "cmpl-");
  EXPECT_EQ(body["choices"], (Json{{{"index", 0},
                                    {"text", " upon a time"},
                                    {"logprobs", nullptr},
                                    {"finish_reason", "stop"}}}));
}

TEST_F(CompletionHandler, TokenIdsAreAnsweredInTextAndStop) {
  Serve();
  const auto client =
      Post(kPath, Complete(R"("prompt":[300,301],"stop":"b","max_tokens":9)"));
  const Submission stream = node_->AwaitSubmissions(1)[0];
  EXPECT_EQ(stream.prompt, (std::vector<TokenId>{300, 301}));
  Emit(stream, Ids("ab"));
  const Json body = JsonOf(client->AwaitResponse());
  EXPECT_EQ(body["choices"][0]["text"], "a");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "stop");
}

TEST_F(CompletionHandler, PromptsTimesChoices) {
  Serve();
  const auto client =
      Post(kPath, Complete(R"("prompt":["a","b"],"n":2,"stream":true,)"
                           R"("stream_options":{"include_usage":true})"));
  const auto streams = node_->AwaitSubmissions(4);
  EXPECT_EQ(streams[0].prompt, streams[1].prompt);
  EXPECT_NE(streams[1].prompt, streams[2].prompt);
  for (size_t i = 0; i < 4; ++i) {
    Emit(streams[i], Ids(std::to_string(i)), FinishReason::kLength);
  }
  const Events events = client->AwaitEvents();
  EXPECT_TRUE(events.is_done);
  std::vector<std::string> texts(4);
  for (const Json& chunk : events.chunks) {
    EXPECT_EQ(chunk["object"], "text_completion");
    for (const Json& choice : chunk["choices"]) {
      texts[choice["index"].get<size_t>()] += choice["text"].get<std::string>();
    }
  }
  EXPECT_EQ(texts, (std::vector<std::string>{"0", "1", "2", "3"}));
  EXPECT_EQ(events.chunks.back()["usage"]["prompt_tokens"],
            streams[0].prompt.size() + streams[2].prompt.size());
}

TEST_F(CompletionHandler, EchoOfTextAndIds) {
  Serve();
  const std::vector<TokenId> ids = Ids("Once");
  std::string list;
  for (const TokenId id : ids) {
    absl::StrAppend(&list, list.empty() ? "" : ",", id);
  }
  for (const std::string& prompt :
       {std::string("\"Once\""), absl::StrCat("[", list, "]")}) {
    const auto client = Post(
        kPath,
        Complete(absl::StrCat(
            R"("echo":true,"logprobs":0,"max_tokens":1,"prompt":)", prompt)));
    const size_t count = node_->NumSubmissions();
    const Submission stream = node_->AwaitSubmissions(count).back();
    EXPECT_TRUE(stream.sampling.prompt_logprobs);
    StreamResult result{.request = stream.request, .attempt = stream.attempt};
    for (size_t i = 1; i < stream.prompt.size(); ++i) {
      result.prompt_logprobs.push_back({.position = static_cast<int>(i),
                                        .id = stream.prompt[i],
                                        .logprob = -0.25F});
    }
    streams_.OnStep(node_.get(), {.streams = {result}, .load = {}});
    Emit(stream, {Ids(" x")[0]}, FinishReason::kLength);
    const Json choice = JsonOf(client->AwaitResponse())["choices"][0];
    const std::string text = choice["text"].get<std::string>();
    EXPECT_EQ(text.substr(0, 4), "Once");
    std::string joined;
    for (const Json& token : choice["logprobs"]["tokens"]) {
      joined += token.get<std::string>();
    }
    EXPECT_EQ(joined, text) << "one entry for each token of the text";
    EXPECT_EQ(choice["logprobs"]["token_logprobs"][0].is_null(),
              prompt[0] == '[');
  }
}

}  // namespace
}  // namespace mesh::gateway
