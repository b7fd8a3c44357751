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

// A terminal takes U+0080 to U+009F for control characters as well.
bool IsControl(absl::string_view rest) {
  const unsigned char byte = static_cast<unsigned char>(rest[0]);
  if (byte < 0x20 || byte == 0x7f) return true;
  return byte == 0xc2 && rest.size() > 1 &&
         static_cast<unsigned char>(rest[1]) < 0xa0;
}

// `kept`: characters that stay as they are.
std::string Escaped(absl::string_view text, absl::string_view kept) {
  std::string escaped;
  size_t invalid = gateway::FindInvalidUtf8(text);
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_kept = kept.find(text[i]) != kept.npos;
    if (i != invalid && (is_kept || !IsControl(text.substr(i)))) {
      escaped.push_back(text[i]);
      continue;
    }
    const bool is_long = i != invalid && text[i] == '\xc2';
    for (const char c : text.substr(i, is_long ? 2 : 1)) {
      absl::StrAppendFormat(&escaped, "\\x%02x", static_cast<unsigned char>(c));
    }
    if (is_long) ++i;
    if (i != invalid) continue;
    const size_t next = gateway::FindInvalidUtf8(text.substr(i + 1));
    invalid = next == text.npos ? text.npos : i + 1 + next;
  }
  return escaped;
}

void WriteText(FILE* file, bool is_terminal, absl::string_view text) {
  is_terminal ? Write(file, Escaped(text, "\n\t")) : Write(file, text);
}

}  // namespace

Console::Console(bool styled)
    : input_is_terminal_(isatty(STDIN_FILENO) == 1),
      output_is_terminal_(isatty(STDOUT_FILENO) == 1),
      error_is_terminal_(isatty(STDERR_FILENO) == 1),
      dims_(styled && error_is_terminal_) {}

Console::~Console() { EndDim(); }

void Console::Answer(absl::string_view text) {
  if (text.empty()) return;
  EndDim();
  WriteText(stdout, output_is_terminal_, text);
  if (output_is_terminal_) in_line_ = text.back() != '\n';
}

void Console::Thinking(absl::string_view text) {
  if (text.empty()) return;
  BeginDim();
  WriteText(stderr, error_is_terminal_, text);
  in_line_ = text.back() != '\n';
}

void Console::Note(absl::string_view line) {
  BeginLine();
  Write(stderr, Escaped(line, ""));
  Write(stderr, "\n");
}

void Console::Aside(absl::string_view line) {
  BeginLine();
  BeginDim();
  Write(stderr, Escaped(line, ""));
  EndDim();
  Write(stderr, "\n");
}

void Console::Status(absl::string_view line) {
  if (!dims_) return;
  EndDim();
  Write(stderr, "\r\033[K");
  if (line.empty()) return;
  BeginDim();
  // What wraps could not be wiped.
  Write(stderr, line.substr(0, NumColumns() - 1));
  EndDim();
}

void Console::Prompt() {
  BeginLine();
  Write(stderr, "> ");
}

bool Console::AnswersArrived() {
  return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

void Console::BeginDim() {
  if (dims_ && !dim_) Write(stderr, "\033[2m");
  dim_ = dims_;
}

void Console::EndDim() {
  if (dim_) Write(stderr, "\033[0m");
  dim_ = false;
}

void Console::BeginLine() {
  EndDim();
  if (in_line_) Write(stderr, "\n");
  in_line_ = false;
}

}  // namespace mesh::cli
