// SPDX-License-Identifier: Apache-2.0
#include "tests/support/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/time/clock.h"
#include "core/check.h"

namespace mesh {
namespace {

// Between fork and exec: only what a signal handler may do, since other threads
// of the test may have held locks.
[[noreturn]] void Become(char* const* arguments, int log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execv(arguments[0], arguments);
  _exit(127);
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments,
                           std::string log_path)
    : log_path_(std::move(log_path)) {
  MESH_CHECK(access(arguments[0].c_str(), X_OK) == 0);
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  const int log =
      open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  MESH_CHECK(log >= 0);
  const pid_t parent = getpid();
  pid_ = fork();
  MESH_CHECK(pid_ >= 0);
  if (pid_ == 0) Become(pointers.data(), log, parent);
  close(log);
}

ChildProcess::~ChildProcess() {
  if (!Running()) return;
  Signal(SIGKILL);
  WaitExit(absl::InfiniteDuration());
}

void ChildProcess::Signal(int signal) const {
  if (!exit_code_.has_value()) kill(pid_, signal);
}

bool ChildProcess::Running() {
  if (exit_code_.has_value()) return false;
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, WNOHANG);
  if (ended == 0) return true;
  exit_code_ = ended == pid_ && WIFEXITED(status)
                   ? WEXITSTATUS(status)
                   : 128 + (ended == pid_ ? WTERMSIG(status) : 0);
  return false;
}

std::optional<int> ChildProcess::WaitExit(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  while (Running()) {
    if (absl::Now() >= deadline) return std::nullopt;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return exit_code_;
}

std::string ChildProcess::Log() const { return ReadAll(log_path_); }

std::vector<Json> ChildProcess::LogEvents() const {
  std::vector<Json> events;
  std::istringstream lines(Log());
  for (std::string line; std::getline(lines, line);) {
    const absl::StatusOr<Json> event = ParseJson(line, log_path_);
    if (event.ok() && event->is_object()) events.push_back(*event);
  }
  return events;
}

int ChildProcess::NumDescriptors() const {
  std::error_code error;
  const std::filesystem::directory_iterator folder(
      "/proc/" + std::to_string(pid_) + "/fd", error);
  return error ? 0
               : static_cast<int>(std::distance(begin(folder), end(folder)));
}

uint64_t ChildProcess::RssBytes() const {
  std::istringstream statm(ReadProc("statm"));
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  statm >> total_pages >> resident_pages;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

absl::Duration ChildProcess::CpuTime() const {
  clockid_t clock = 0;
  timespec time = {};
  if (clock_getcpuclockid(pid_, &clock) != 0 ||
      clock_gettime(clock, &time) != 0) {
    return absl::ZeroDuration();
  }
  return absl::DurationFromTimespec(time);
}

std::string ChildProcess::ReadProc(const std::string& file) const {
  return ReadAll("/proc/" + std::to_string(pid_) + "/" + file);
}

}  // namespace mesh
