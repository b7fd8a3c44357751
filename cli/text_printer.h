// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/time/time.h"
#include "cli/answer_source.h"
#include "cli/console.h"
#include "core/clock.h"

namespace mesh::cli {

// What is shown of thoughts: all, nothing, or a line that counts.
enum class ThinkingView { kShow, kHide, kFold };

// Shows an answer as it comes: thoughts, an empty line, the answer. Owned by
// one thread.
class TextPrinter {
 public:
  // `clock` and `console` outlive the printer.
  TextPrinter(ThinkingView view, const Clock& clock, Console& console);

  void Print(const AnswerPiece& piece);
  // While nothing comes: the line that counts goes on.
  void Tick();
  // After the last piece, whatever ended the answer.
  void Finish();

 private:
  std::string Fold() const;
  void EndThinking();

  const ThinkingView view_;
  const Clock& clock_;
  Console& console_;
  bool thinks_ = false;  // since the answer's last text
  int num_tokens_ = 0;   // of the thought
  absl::Time began_;     // the answer's tokens, or the thought
  std::string shown_;    // the line that counts
};

}  // namespace mesh::cli
