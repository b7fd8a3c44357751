// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/strings/string_view.h"

namespace mesh::cli {

// Where commands speak to people: answers to standard output, all else to
// standard error. Thinking is dimmed if standard error is a terminal.
// Owned by the main thread.
class Console {
 public:
  Console();
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void Answer(absl::string_view text);    // flushed at once
  void Thinking(absl::string_view text);  // flushed at once
  // A whole line, without its newline. Control characters and bytes that are
  // not UTF-8, which names in files may hold, are escaped: it stays one line
  // and moves no cursor.
  void Note(absl::string_view line);
  // A line that the next one replaces; only on a terminal, and cut to its
  // width. Empty: wipes it.
  void Status(absl::string_view line);

  void Prompt();  // asks for a line

  // Whether all answers arrived where standard output goes.
  bool AnswersArrived();

  bool InputIsTerminal() const { return input_is_terminal_; }

 private:
  void EndDim();

  const bool input_is_terminal_;
  const bool dims_;
  bool dim_ = false;
  bool in_line_ = false;  // a thought has begun the line
};

}  // namespace mesh::cli
