// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/strings/string_view.h"

namespace mesh::cli {

// Where commands speak to people: answers to standard output, all else to
// standard error. Escape codes go to terminals only, and to those only if
// `styled`; whatever would be one in a text is made visible there.
// Owned by the main thread.
class Console {
 public:
  explicit Console(bool styled);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void Answer(absl::string_view text);    // flushed at once
  void Thinking(absl::string_view text);  // dimmed; flushed at once
  // A whole line, without its newline. Control characters and bytes that are
  // not UTF-8, which names in files may hold, are escaped: it stays one line
  // and moves no cursor.
  void Note(absl::string_view line);
  // The same, dimmed.
  void Aside(absl::string_view line);
  // A dimmed line that the next one replaces; only where escape codes go, and
  // cut to the terminal's width. Empty: wipes it.
  void Status(absl::string_view line);

  void Prompt();  // asks for a line

  // Whether all answers arrived where standard output goes.
  bool AnswersArrived();

  bool InputIsTerminal() const { return input_is_terminal_; }
  // Somebody reads what is not an answer.
  bool NotesAreSeen() const { return error_is_terminal_; }

 private:
  void BeginDim();
  void EndDim();
  void BeginLine();

  const bool input_is_terminal_;
  const bool output_is_terminal_;
  const bool error_is_terminal_;
  const bool dims_;
  bool dim_ = false;
  bool in_line_ = false;  // what the person sees last is no newline
};

}  // namespace mesh::cli
