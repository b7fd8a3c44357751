// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace mesh::cli {

// What people type or paste, or a program pipes, as messages. From a terminal,
// lines that arrive at once, as a paste does, are one message; the terminal's
// own line editing is all there is. Owned by one thread.
class LineReader {
 public:
  enum class Outcome { kMessage, kEnd, kInterrupted };

  // `fd` outlives the reader.
  explicit LineReader(int fd);

  // Waits for a message, without its last newline. `stands_alone`: a line with
  // which no other is joined. Ends with kInterrupted soon after `interrupted`
  // returns true.
  Outcome Read(absl::FunctionRef<bool()> interrupted,
               absl::FunctionRef<bool(absl::string_view)> stands_alone,
               std::string* message);

 private:
  // A line that has come whole, or what stands at the end of input.
  std::optional<std::string> TakeLine();
  // Reads what there is, waiting for it at most `limit`; false if nothing came.
  bool Fill(absl::Duration limit);
  // Reads the line that was begun, which a terminal keeps to itself until it
  // ends: what a paste ends with. False if there is none.
  bool FillWithBegunLine();

  const int fd_;
  const bool is_terminal_;
  std::string buffer_;
  bool at_end_ = false;
};

}  // namespace mesh::cli
