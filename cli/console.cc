// SPDX-License-Identifier: Apache-2.0
#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "gateway/utf8.h"

namespace mesh::cli {
namespace {

void Write(FILE* file, absl::string_view text) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

// Columns of the terminal of standard error; many if it does not say.
size_t NumColumns() {
  winsize size = {};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
  return known && size.ws_col > 0 ? size.ws_col : 1000;
}

std::string Escaped(absl::string_view line) {
  std::string text;
  size_t invalid = gateway::FindInvalidUtf8(line);
  for (size_t i = 0; i < line.size(); ++i) {
    const unsigned char byte = static_cast<unsigned char>(line[i]);
    if (byte >= 0x20 && byte != 0x7f && i != invalid) {
      text.push_back(line[i]);
      continue;
    }
    absl::StrAppendFormat(&text, "\\x%02x", byte);
    if (i != invalid) continue;
    const size_t next = gateway::FindInvalidUtf8(line.substr(i + 1));
    invalid = next == line.npos ? line.npos : i + 1 + next;
  }
  return text;
}

}  // namespace

Console::Console()
    : input_is_terminal_(isatty(STDIN_FILENO) == 1),
      dims_(isatty(STDERR_FILENO) == 1) {}

Console::~Console() { EndDim(); }

void Console::Answer(absl::string_view text) {
  if (text.empty()) return;
  EndDim();
  Write(stdout, text);
}

void Console::Thinking(absl::string_view text) {
  if (text.empty()) return;
  if (dims_ && !dim_) {
    Write(stderr, "\033[2m");
    dim_ = true;
  }
  Write(stderr, text);
  in_line_ = text.back() != '\n';
}

void Console::Note(absl::string_view line) {
  EndDim();
  if (in_line_) Write(stderr, "\n");
  in_line_ = false;
  Write(stderr, Escaped(line));
  Write(stderr, "\n");
}

void Console::Status(absl::string_view line) {
  if (!dims_) return;
  EndDim();
  Write(stderr, "\r\033[K");
  // What wraps could not be wiped.
  Write(stderr, line.substr(0, NumColumns() - 1));
}

void Console::Prompt() {
  EndDim();
  Write(stderr, "> ");
}

bool Console::AnswersArrived() {
  return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

void Console::EndDim() {
  if (dim_) Write(stderr, "\033[0m");
  dim_ = false;
}

}  // namespace mesh::cli
