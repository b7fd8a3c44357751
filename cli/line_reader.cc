// SPDX-License-Identifier: Apache-2.0
#include "cli/line_reader.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace mesh::cli {
namespace {

// A signal can come between the look at its flag and the wait.
constexpr absl::Duration kInterruptPoll = absl::Milliseconds(200);
// Between the lines of one paste; less than anybody needs to type one.
constexpr absl::Duration kPasteGap = absl::Milliseconds(30);

}  // namespace

LineReader::LineReader(int fd) : fd_(fd), is_terminal_(isatty(fd) == 1) {}

LineReader::Outcome LineReader::Read(
    absl::FunctionRef<bool()> interrupted,
    absl::FunctionRef<bool(absl::string_view)> stands_alone,
    std::string* message) {
  std::string text;
  bool joins = false;  // `text` begins a message of several lines
  while (true) {
    const std::optional<std::string> line = TakeLine();
    if (!line.has_value()) {
      if (interrupted()) return Outcome::kInterrupted;
      if (at_end_ && !joins) return Outcome::kEnd;
      if (at_end_) break;
      Fill(kInterruptPoll);
      continue;
    }
    text += (joins ? "\n" : "") + *line;
    const bool more =
        is_terminal_ && !at_end_ && (joins || !stands_alone(text)) &&
        (!buffer_.empty() || Fill(kPasteGap) || FillWithBegunLine());
    if (!more) break;
    joins = true;
  }
  *message = std::move(text);
  return Outcome::kMessage;
}

std::optional<std::string> LineReader::TakeLine() {
  const size_t end = buffer_.find('\n');
  if (end == buffer_.npos) {
    if (!at_end_ || buffer_.empty()) return std::nullopt;
    return std::exchange(buffer_, {});
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return line;
}

bool LineReader::Fill(absl::Duration limit) {
  pollfd waiting = {fd_, POLLIN, 0};
  const int limit_ms = static_cast<int>(absl::ToInt64Milliseconds(limit));
  if (poll(&waiting, 1, limit_ms) <= 0) return false;
  char piece[4096];
  const ssize_t num_read = read(fd_, piece, sizeof(piece));
  if (num_read < 0 && (errno == EINTR || errno == EAGAIN)) return false;
  if (num_read <= 0) {
    at_end_ = true;
    return false;
  }
  buffer_.append(piece, static_cast<size_t>(num_read));
  return true;
}

bool LineReader::FillWithBegunLine() {
  termios settings = {};
  if (tcgetattr(fd_, &settings) != 0) return false;
  termios raw = settings;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  if (tcsetattr(fd_, TCSANOW, &raw) != 0) return false;
  // Not Fill(): without a line there is nothing to read, which is not the end.
  char piece[4096];
  const ssize_t num_read = read(fd_, piece, sizeof(piece));
  tcsetattr(fd_, TCSANOW, &settings);
  if (num_read <= 0) return false;
  buffer_.append(piece, static_cast<size_t>(num_read));
  return true;
}

}  // namespace mesh::cli
