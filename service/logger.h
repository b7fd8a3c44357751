// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mesh::service {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogField {
  absl::string_view name;
  std::variant<std::string, int64_t, uint64_t, double, bool> value;
};

// Writes one JSON object a line to standard error: time, level, role, node,
// event, then the fields. Never text of prompts or answers. Thread-safe; passed
// by reference.
class Logger {
 public:
  // `level` is "debug", "info", "warning" or "error". Errors: kInvalidArgument.
  static absl::StatusOr<std::unique_ptr<Logger>> Create(
      const std::string& level, const std::string& role,
      const std::string& node);
  ~Logger();

  void Debug(absl::string_view event,
             std::initializer_list<LogField> fields = {}) const;
  void Info(absl::string_view event,
            std::initializer_list<LogField> fields = {}) const;
  void Warning(absl::string_view event,
               std::initializer_list<LogField> fields = {}) const;
  void Error(absl::string_view event,
             std::initializer_list<LogField> fields = {}) const;

 private:
  struct State;
  explicit Logger(std::unique_ptr<State> state);
  void Write(LogLevel level, absl::string_view event,
             std::initializer_list<LogField> fields) const;

  const std::unique_ptr<State> state_;
};

}  // namespace mesh::service
