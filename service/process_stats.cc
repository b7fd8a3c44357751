// SPDX-License-Identifier: Apache-2.0
#include "service/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace mesh::service {
namespace {

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

// Files under /proc and /sys tell no size, so they are read to their end.
std::string ReadSystemFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A file that is one number; "max" and anything else: nothing.
std::optional<uint64_t> ReadNumber(const std::string& path) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(ReadSystemFile(path), &number)) return std::nullopt;
  return number;
}

// The number behind `key` in lines of "key value".
std::optional<uint64_t> FindNumber(const std::string& text,
                                   absl::string_view key) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    uint64_t number = 0;
    if (words.size() >= 2 && words[0] == key &&
        absl::SimpleAtoi(words[1], &number)) {
      return number;
    }
  }
  return std::nullopt;
}

// The names of the files of one version of cgroups.
struct MemoryFiles {
  const char* mount;
  const char* limit;
  const char* usage;
  const char* reclaimable;  // in memory.stat
};

constexpr MemoryFiles kVersion1 = {
    "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
    "total_inactive_file"};
constexpr MemoryFiles kVersion2 = {"sys/fs/cgroup", "memory.max",
                                   "memory.current", "inactive_file"};

uint64_t LeftInGroup(const std::string& folder, const MemoryFiles& files) {
  const auto limit = ReadNumber(absl::StrCat(folder, "/", files.limit));
  const auto usage = ReadNumber(absl::StrCat(folder, "/", files.usage));
  if (!limit.has_value() || !usage.has_value()) return kUnlimited;
  const uint64_t reclaimable =
      FindNumber(ReadSystemFile(absl::StrCat(folder, "/memory.stat")),
                 files.reclaimable)
          .value_or(0);
  const uint64_t used = *usage - std::min(*usage, reclaimable);
  return *limit - std::min(*limit, used);
}

// Of the group and all above it. In a container the path may be that of the
// host; then only the mount's top is there, and it is the container's own.
uint64_t LeftInGroups(const std::string& root, absl::string_view group,
                      const MemoryFiles& files) {
  uint64_t left = kUnlimited;
  std::string path(group);
  while (true) {
    left = std::min(left,
                    LeftInGroup(absl::StrCat(root, files.mount, path), files));
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos) return left;
    path.resize(slash);
  }
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  const std::vector<std::string> pages =
      absl::StrSplit(ReadSystemFile("/proc/self/statm"), ' ');
  uint64_t num_pages = 0;
  if (pages.size() >= 2 && absl::SimpleAtoi(pages[1], &num_pages)) {
    stats.rss_bytes = num_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  std::error_code error;
  for (std::filesystem::directory_iterator each("/proc/self/fd", error), end;
       !error && each != end; each.increment(error)) {
    ++stats.num_fds;
  }
  if (stats.num_fds > 0) --stats.num_fds;  // the one that reads the folder
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) +
           static_cast<double>(time.tv_usec) * 1e-6;
  };
  stats.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  return stats;
}

uint64_t AvailableMemoryBytes(const std::string& root) {
  uint64_t available = kUnlimited;
  const auto free_kib = FindNumber(
      ReadSystemFile(absl::StrCat(root, "proc/meminfo")), "MemAvailable:");
  if (free_kib.has_value()) available = *free_kib * 1024;
  const std::string groups =
      ReadSystemFile(absl::StrCat(root, "proc/self/cgroup"));
  for (const absl::string_view line : absl::StrSplit(groups, '\n')) {
    // hierarchy:controllers:path
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    if (parts[0] == "0" && parts[1].empty()) {
      available = std::min(available, LeftInGroups(root, parts[2], kVersion2));
    }
    const std::vector<absl::string_view> controllers =
        absl::StrSplit(parts[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "memory") !=
        controllers.end()) {
      available = std::min(available, LeftInGroups(root, parts[2], kVersion1));
    }
  }
  return available;
}

absl::Status RaiseDescriptorLimit(int needed) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return absl::ErrnoToStatus(errno, "the limit of file descriptors");
  }
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= static_cast<rlim_t>(needed)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(needed, " file descriptors are needed and ", limit.rlim_cur,
                   " allowed; raise the limit (ulimit -n ", needed,
                   ", or LimitNOFILE= of the service)"));
}

}  // namespace mesh::service
