// SPDX-License-Identifier: Apache-2.0
#include "cli/chat_command.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mesh::cli {
namespace {

using Kind = ChatCommand::Kind;
using ::testing::Contains;
using ::testing::HasSubstr;

TEST(ChatCommand, OneLineWithASlash) {
  EXPECT_TRUE(LooksLikeChatCommand("/help"));
  EXPECT_TRUE(LooksLikeChatCommand("/"));
  EXPECT_FALSE(LooksLikeChatCommand(""));
  EXPECT_FALSE(LooksLikeChatCommand(" /help"));
  EXPECT_FALSE(LooksLikeChatCommand("help"));
  EXPECT_FALSE(LooksLikeChatCommand("/* a\n   comment */"));
}

TEST(ChatCommand, Parses) {
  const struct {
    const char* line;
    ChatCommand command;
  } kCases[] = {
      {"/clear", {Kind::kClear, ""}},
      {"/exit  ", {Kind::kExit, ""}},
      {"/help", {Kind::kHelp, ""}},
      {"/load a b.json", {Kind::kLoad, "a b.json"}},
      {"/retry", {Kind::kRetry, ""}},
      {"/save  x ", {Kind::kSave, "x"}},
      {"/system Be brief.", {Kind::kSystem, "Be brief."}},
      {"/system", {Kind::kSystem, ""}},
      {"/temperature\t0.6", {Kind::kTemperature, "0.6"}},
      {"/temperature", {Kind::kTemperature, ""}},
      {"/thinking fold", {Kind::kThinking, "fold"}},
  };
  for (const auto& test : kCases) {
    const auto command = ParseChatCommand(test.line);
    ASSERT_TRUE(command.ok()) << test.line << ": " << command.status();
    EXPECT_EQ(*command, test.command) << test.line;
  }
}

TEST(ChatCommand, Refuses) {
  const struct {
    const char* line;
    const char* message;
  } kCases[] = {
      {"/", "/ is no command; /help lists them"},
      {"/Help", "/Help is no command"},
      {"/etc/passwd is what?", "/etc/passwd is no command"},
      {"/clear all", "expected nothing after /clear"},
      {"/save", "expected /save FILE"},
      {"/load ", "expected /load FILE"},
      {"/thinking", "expected /thinking show|hide|fold"},
  };
  for (const auto& test : kCases) {
    const auto command = ParseChatCommand(test.line);
    ASSERT_FALSE(command.ok()) << test.line;
    EXPECT_EQ(command.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(command.status().message()),
                HasSubstr(test.message));
  }
}

TEST(ChatCommand, HelpNamesEach) {
  const auto help = ChatCommandHelp();
  for (const char* name : {"/clear", "/exit", "/help", "/load FILE", "/retry",
                           "/save FILE", "/system TEXT", "/temperature X",
                           "/thinking show|hide|fold", "Ctrl-C"}) {
    EXPECT_THAT(help, Contains(HasSubstr(name)));
  }
}

}  // namespace
}  // namespace mesh::cli
