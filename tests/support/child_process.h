// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/json.h"

namespace mesh {

// A program that a test started. It dies with the test, however that ends: the
// kernel kills it when the thread that started it is gone. What it writes goes
// to a file. Used on one thread.
class ChildProcess {
 public:
  // `arguments[0]` is the program's path. Dies if it cannot be started.
  ChildProcess(const std::vector<std::string>& arguments, std::string log_path);
  // Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t Pid() const { return pid_; }
  const std::string& LogPath() const { return log_path_; }

  void Signal(int signal) const;
  bool Running();
  // Its exit code once it has ended (128 + signal if one ended it); nothing
  // when `limit` is over first.
  std::optional<int> WaitExit(absl::Duration limit);

  std::string Log() const;
  // Log lines that are JSON objects, in order.
  std::vector<Json> LogEvents() const;

  // Zeros once it has ended.
  int NumDescriptors() const;
  uint64_t RssBytes() const;
  absl::Duration CpuTime() const;  // user and system, all threads

 private:
  std::string ReadProc(const std::string& file) const;

  const std::string log_path_;
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace mesh
