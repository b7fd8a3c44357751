// SPDX-License-Identifier: Apache-2.0
#include "cli/line_reader.h"

#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mesh::cli {
namespace {

using Outcome = LineReader::Outcome;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool IsCommand(absl::string_view line) {
  return !line.empty() && line[0] == '/';
}

// All messages until the end.
std::vector<std::string> ReadAll(LineReader& reader) {
  std::vector<std::string> messages;
  std::string message;
  while (reader.Read([] { return false; }, IsCommand, &message) ==
         Outcome::kMessage) {
    messages.push_back(message);
  }
  return messages;
}

// What a pipe with `text` gives.
std::vector<std::string> Piped(const std::string& text) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  EXPECT_EQ(write(ends[1], text.data(), text.size()),
            static_cast<ssize_t>(text.size()));
  close(ends[1]);
  LineReader reader(ends[0]);
  const std::vector<std::string> messages = ReadAll(reader);
  close(ends[0]);
  return messages;
}

TEST(LineReaderPipe, EachLineIsAMessage) {
  EXPECT_THAT(Piped("a\nb c\n\n/x\n"), ElementsAre("a", "b c", "", "/x"));
  EXPECT_THAT(Piped("a\nb"), ElementsAre("a", "b"));
  EXPECT_THAT(Piped(""), IsEmpty());
  const std::string big(20000, 'x');
  EXPECT_THAT(Piped(big + "\n" + big), ElementsAre(big, big));
}

TEST(LineReaderPipe, AnInterruptionEndsTheWait) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  LineReader reader(ends[0]);
  int num_asked = 0;
  std::string message = "before";
  EXPECT_EQ(reader.Read([&] { return ++num_asked == 2; }, IsCommand, &message),
            Outcome::kInterrupted);
  EXPECT_EQ(message, "before");
  close(ends[0]);
  close(ends[1]);
}

// A terminal, and who types there.
class LineReaderTerminal : public ::testing::Test {
 protected:
  void SetUp() override {
    keyboard_ = posix_openpt(O_RDWR | O_NOCTTY);
    ASSERT_GE(keyboard_, 0);
    ASSERT_EQ(grantpt(keyboard_), 0);
    ASSERT_EQ(unlockpt(keyboard_), 0);
    terminal_ = open(ptsname(keyboard_), O_RDWR | O_NOCTTY);
    ASSERT_GE(terminal_, 0);
  }

  void TearDown() override {
    close(terminal_);
    close(keyboard_);
  }

  void Type(const std::string& text) {
    ASSERT_EQ(write(keyboard_, text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }

  std::string Read(LineReader& reader) {
    std::string message;
    EXPECT_EQ(reader.Read([] { return false; }, IsCommand, &message),
              Outcome::kMessage);
    return message;
  }

  int keyboard_ = -1;
  int terminal_ = -1;
};

TEST_F(LineReaderTerminal, APasteIsOneMessage) {
  LineReader reader(terminal_);
  Type("a\n\n  b\n");
  EXPECT_EQ(Read(reader), "a\n\n  b");
  Type("c\n");
  EXPECT_EQ(Read(reader), "c");
}

TEST_F(LineReaderTerminal, APasteWithoutANewlineEndsWithOne) {
  LineReader reader(terminal_);
  Type("a\nb");
  // Asked before the first line, and while it waits for the last one's rest.
  int num_asked = 0;
  std::string message;
  const auto type_the_rest = [&] {
    if (++num_asked == 2) Type("c\n");
    return false;
  };
  EXPECT_EQ(reader.Read(type_the_rest, IsCommand, &message), Outcome::kMessage);
  EXPECT_EQ(message, "a\nbc");
  EXPECT_GE(num_asked, 2);
}

TEST_F(LineReaderTerminal, ACommandStandsAlone) {
  LineReader reader(terminal_);
  Type("/x\nhello\nworld\n");
  EXPECT_EQ(Read(reader), "/x");
  EXPECT_EQ(Read(reader), "hello\nworld");
}

TEST_F(LineReaderTerminal, EndsWithControlD) {
  LineReader reader(terminal_);
  Type("a\n");
  EXPECT_EQ(Read(reader), "a");
  Type("\x04");
  std::string message;
  EXPECT_EQ(reader.Read([] { return false; }, IsCommand, &message),
            Outcome::kEnd);
}

TEST_F(LineReaderTerminal, LeavesTheTerminalAsItWas) {
  termios before = {};
  ASSERT_EQ(tcgetattr(terminal_, &before), 0);
  LineReader reader(terminal_);
  Type("a\nb\n");
  EXPECT_EQ(Read(reader), "a\nb");
  termios after = {};
  ASSERT_EQ(tcgetattr(terminal_, &after), 0);
  EXPECT_EQ(after.c_lflag, before.c_lflag);
  EXPECT_EQ(after.c_cc[VMIN], before.c_cc[VMIN]);
}

}  // namespace
}  // namespace mesh::cli
