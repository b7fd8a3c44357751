// SPDX-License-Identifier: Apache-2.0
// What the attention nodes' prefix cache looks like over HTTP.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/admission/cache_salt.h"
#include "gateway/openai/openai_handlers.h"
#include "tests/gateway/openai/openai_fixture.h"

namespace mesh::gateway {
namespace {

// A route, and whether its answer comes in events.
struct Asked {
  const char* path;
  bool is_stream;
};

constexpr Asked kWays[] = {{"/v1/chat/completions", false},
                           {"/v1/chat/completions", true},
                           {"/v1/completions", false},
                           {"/v1/completions", true}};

class PrefixCache : public OpenAiTest {
 protected:
  // The usage of an answer to `n` choices, of which choice i found `cached[i]`
  // tokens of the prompt in the cache. `num_prompt`: tokens of the prompt.
  Json UsageOf(const Asked& asked, const std::vector<int>& cached,
               size_t* num_prompt) {
    const size_t before = node_->NumSubmissions();
    const auto client = Post(
        asked.path,
        absl::StrCat(
            R"({"model":"tiny-r1","prompt":"Once upon a time",)",
            R"("messages":[{"role":"user","content":"Hi"}],"n":)",
            cached.size(),
            asked.is_stream
                ? R"(,"stream":true,"stream_options":{"include_usage":true}})"
                : "}"));
    const auto streams = node_->AwaitSubmissions(before + cached.size());
    for (size_t i = 0; i < cached.size(); ++i) {
      const Submission& stream = streams[before + i];
      num_cached_[stream.request.value] = cached[i];
      Emit(stream, Ids("a"));
      Emit(stream, Ids("b"), FinishReason::kLength);
    }
    *num_prompt = streams[before].prompt.size();
    if (asked.is_stream) return client->AwaitEvents().chunks.back()["usage"];
    return JsonOf(client->AwaitResponse())["usage"];
  }
};

TEST_F(PrefixCache, UsageSaysWhatWasInIt) {
  Serve({},
        {{"tiny-r1", {.prompt = 1e6, .cached_prompt = 1e5, .completion = 0}}});
  for (const Asked& asked : kWays) {
    size_t num_prompt = 0;
    const Json usage = UsageOf(asked, {3}, &num_prompt);
    EXPECT_EQ(usage["prompt_tokens"], num_prompt);
    EXPECT_EQ(usage["prompt_tokens_details"]["cached_tokens"], 3);
    EXPECT_EQ(usage["prompt_cache_hit_tokens"], 3);
    EXPECT_EQ(usage["prompt_cache_miss_tokens"], num_prompt - 3);
    EXPECT_DOUBLE_EQ(usage["cost"].get<double>(),
                     static_cast<double>(num_prompt - 3) + 0.3);
  }
}

TEST_F(PrefixCache, OfSeveralChoicesTheOneThatFoundLeastCounts) {
  Serve();
  for (const Asked& asked : kWays) {
    size_t num_prompt = 0;
    const Json usage = UsageOf(asked, {3, 1, 2}, &num_prompt);
    EXPECT_EQ(usage["prompt_tokens"], num_prompt);
    EXPECT_EQ(usage["prompt_cache_hit_tokens"], 1);
    EXPECT_EQ(usage["prompt_cache_miss_tokens"], num_prompt - 1);
  }
}

TEST_F(PrefixCache, ChoicesHaveTheSaltOfTheirTenantAndRequest) {
  Serve();
  const std::string tenant = AnonymousTenant()->name;
  const auto ask = [this](absl::string_view fields) {
    Post("/v1/chat/completions",
         absl::StrCat(R"({"model":"tiny-r1","messages":[{"role":"user",)",
                      R"("content":"Hi"}],)", fields, "}"));
  };
  ask(R"("n":3)");
  for (const Submission& stream : node_->AwaitSubmissions(3)) {
    EXPECT_EQ(stream.cache_salt, CacheSalt(tenant, ""));
  }
  ask(R"("n":2,"cache_salt":"mine")");
  const auto streams = node_->AwaitSubmissions(5);
  EXPECT_EQ(streams[3].cache_salt, CacheSalt(tenant, "mine"));
  EXPECT_EQ(streams[4].cache_salt, CacheSalt(tenant, "mine"));
}

}  // namespace
}  // namespace mesh::gateway
