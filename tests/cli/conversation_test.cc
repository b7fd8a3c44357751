// SPDX-License-Identifier: Apache-2.0
#include "cli/conversation.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mesh::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Conversation Sample() {
  Conversation conversation("Be brief.");
  conversation.Add({"one\n\"1\"", "two", "hm"});
  conversation.Add({"three", "日本語 🙂", ""});
  return conversation;
}

TEST(Conversation, AsksWithWhatWasSaid) {
  const auto all = Sample().Ask(2, "five");
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all[0].role, gateway::Role::kSystem);
  EXPECT_EQ(all[0].content, "Be brief.");
  EXPECT_EQ(all[2].role, gateway::Role::kAssistant);
  EXPECT_EQ(all[2].reasoning, "hm");
  EXPECT_EQ(all[5].role, gateway::Role::kUser);
  EXPECT_EQ(all[5].content, "five");
  EXPECT_EQ(Sample().Ask(1, "five").size(), 4u);
  EXPECT_EQ(Conversation().Ask(0, "five").size(), 1u);
}

TEST(Conversation, ComesBackFromItsFile) {
  const auto back = Conversation::FromJson(Sample().ToJson(), "f");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->System(), "Be brief.");
  EXPECT_EQ(back->Turns(), Sample().Turns());
  EXPECT_EQ(back->ToJson(), Sample().ToJson());
  const auto empty = Conversation::FromJson(Conversation().ToJson(), "f");
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_TRUE(empty->Turns().empty());
}

TEST(Conversation, TheFileIsInOpenAiForm) {
  Conversation conversation("s");
  conversation.Add({"q", "a", "r"});
  EXPECT_EQ(conversation.ToJson(), R"({
  "messages": [
    {
      "role": "system",
      "content": "s"
    },
    {
      "role": "user",
      "content": "q"
    },
    {
      "role": "assistant",
      "content": "a",
      "reasoning_content": "r"
    }
  ]
}
)");
}

TEST(Conversation, TakesTheFilesOfOthers) {
  const auto other = Conversation::FromJson(
      R"({"model": "m", "messages": [{"role": "user", "content": "q"},
          {"role": "assistant", "content": "a", "refusal": null}]})",
      "f");
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_THAT(other->Turns(), ElementsAre(Turn{"q", "a"}));
}

TEST(Conversation, RefusesOtherFiles) {
  const struct {
    const char* text;
    const char* message;
  } kCases[] = {
      {"", "f: "},
      {"[]", "f: messages: expected an array"},
      {"{}", "f: messages: expected an array"},
      {R"({"messages": 1})", "f: messages: expected an array"},
      {R"({"messages": ["x"]})", "f: messages[0]: expected an object"},
      {R"({"messages": [{}]})", "f: messages[0].role: expected a string"},
      {R"({"messages": [{"role": "user"}]})",
       "f: messages[0].content: expected a string"},
      {R"({"messages": [{"role": "user", "content": null}]})",
       "f: messages[0].content: expected a string"},
      {R"({"messages": [{"role": "assistant", "content": ""}]})",
       "f: messages[0].role: expected 'user'"},
      {R"({"messages": [{"role": "user", "content": ""},
                        {"role": "system", "content": ""}]})",
       "f: messages[1].role: expected 'assistant'"},
      {R"({"messages": [{"role": "user", "content": ""}]})",
       "f: messages: expected an answer at the end"},
      {R"({"messages": [{"role": "user", "content": ""},
           {"role": "assistant", "content": "", "reasoning_content": 1}]})",
       "f: messages[1].reasoning_content: expected a string"},
  };
  for (const auto& test : kCases) {
    const auto conversation = Conversation::FromJson(test.text, "f");
    ASSERT_FALSE(conversation.ok()) << test.text;
    EXPECT_THAT(std::string(conversation.status().message()),
                StartsWith(test.message));
  }
}

}  // namespace
}  // namespace mesh::cli
