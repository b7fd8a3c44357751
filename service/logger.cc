// SPDX-License-Identifier: Apache-2.0
#include "service/logger.h"

#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/json.h"
#include "core/mutex.h"

namespace mesh::service {
namespace {

constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kInfo,
                                LogLevel::kWarning, LogLevel::kError};

absl::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

std::optional<LogLevel> ParseLevel(absl::string_view name) {
  for (const LogLevel level : kLevels) {
    if (LevelName(level) == name) return level;
  }
  return std::nullopt;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

// A log that cannot be written is given up, never waited for or reported.
void WriteAll(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

struct Logger::State {
  const LogLevel level;
  const std::string role;
  const std::string node;
  Mutex mutex;  // one line at a time
};

absl::StatusOr<std::unique_ptr<Logger>> Logger::Create(
    const std::string& level, const std::string& role,
    const std::string& node) {
  const std::optional<LogLevel> parsed = ParseLevel(level);
  if (!parsed.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--log-level: '", level,
                     "' is no level; expected debug, info, warning or error"));
  }
  return std::unique_ptr<Logger>(new Logger(std::unique_ptr<State>(
      new State{.level = *parsed, .role = role, .node = node, .mutex = {}})));
}

Logger::Logger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Logger::~Logger() = default;

void Logger::Debug(absl::string_view event,
                   std::initializer_list<LogField> fields) const {
  Write(LogLevel::kDebug, event, fields);
}

void Logger::Info(absl::string_view event,
                  std::initializer_list<LogField> fields) const {
  Write(LogLevel::kInfo, event, fields);
}

void Logger::Warning(absl::string_view event,
                     std::initializer_list<LogField> fields) const {
  Write(LogLevel::kWarning, event, fields);
}

void Logger::Error(absl::string_view event,
                   std::initializer_list<LogField> fields) const {
  Write(LogLevel::kError, event, fields);
}

void Logger::Write(LogLevel level, absl::string_view event,
                   std::initializer_list<LogField> fields) const {
  if (level < state_->level) return;
  Json line = Json::object();
  line["time"] = TimeText(absl::Now());
  line["level"] = std::string(LevelName(level));
  line["role"] = state_->role;
  line["node"] = state_->node;
  line["event"] = std::string(event);
  for (const LogField& field : fields) {
    std::visit(
        [&](const auto& value) { line[std::string(field.name)] = value; },
        field.value);
  }
  // Names of peers and files may be any bytes.
  const std::string text =
      line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const MutexLock lock(state_->mutex);
  WriteAll(text);
}

}  // namespace mesh::service
