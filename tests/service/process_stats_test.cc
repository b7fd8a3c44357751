// SPDX-License-Identifier: Apache-2.0
#include "service/process_stats.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <limits>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace mesh::service {
namespace {

using ::testing::HasSubstr;

constexpr char kMemInfo[] = "MemTotal: 100 kB\nMemAvailable:    64 kB\n";

TEST(ProcessStats, CountsDescriptorsAndMemory) {
  const ProcessStats before = ReadProcessStats();
  EXPECT_GT(before.rss_bytes, 1U << 20);
  EXPECT_GE(before.cpu_seconds, 0);
  const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(ReadProcessStats().num_fds, before.num_fds + 1);
  close(fd);
  EXPECT_EQ(ReadProcessStats().num_fds, before.num_fds);
}

// A machine as /proc and /sys describe it.
class FakeMachine {
 public:
  FakeMachine() { Write("proc/meminfo", kMemInfo); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(
        std::filesystem::path(folder_.Path(path)).parent_path());
    folder_.Write(path, text);
  }
  uint64_t Available() const {
    return AvailableMemoryBytes(folder_.Path() + "/");
  }

 private:
  TempDir folder_;
};

TEST(AvailableMemory, IsTheMachinesWithoutALimit) {
  FakeMachine machine;
  EXPECT_EQ(machine.Available(), 64U * 1024);
  machine.Write("proc/self/cgroup", "0::/a\n");
  machine.Write("sys/fs/cgroup/a/memory.max", "max\n");
  machine.Write("sys/fs/cgroup/a/memory.current", "5000\n");
  EXPECT_EQ(machine.Available(), 64U * 1024);
}

TEST(AvailableMemory, IsBoundedByTheTightestGroupAbove) {
  FakeMachine machine;
  machine.Write("proc/self/cgroup", "0::/a/b\n");
  machine.Write("sys/fs/cgroup/a/b/memory.max", "60000\n");
  machine.Write("sys/fs/cgroup/a/b/memory.current", "1000\n");
  EXPECT_EQ(machine.Available(), 59000U);
  machine.Write("sys/fs/cgroup/a/memory.max", "50000\n");
  machine.Write("sys/fs/cgroup/a/memory.current", "20000\n");
  EXPECT_EQ(machine.Available(), 30000U);
  machine.Write("sys/fs/cgroup/a/memory.stat",
                "anon 5\ninactive_file 4000\n");  // may be given up
  EXPECT_EQ(machine.Available(), 34000U);
  machine.Write("sys/fs/cgroup/a/memory.current", "70000\n");
  machine.Write("sys/fs/cgroup/a/memory.stat", "");
  EXPECT_EQ(machine.Available(), 0U);
}

TEST(AvailableMemory, KnowsVersionOneAndContainers) {
  FakeMachine machine;
  // In a container the path is often that of the host.
  machine.Write("proc/self/cgroup",
                "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n");
  machine.Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "40000\n");
  machine.Write("sys/fs/cgroup/memory/memory.usage_in_bytes", "10000\n");
  machine.Write("sys/fs/cgroup/memory/memory.stat",
                "total_inactive_file 2000\n");
  EXPECT_EQ(machine.Available(), 32000U);
}

TEST(AvailableMemory, IsLargeWhereNothingCanBeRead) {
  const TempDir folder;
  EXPECT_EQ(AvailableMemoryBytes(folder.Path() + "/"),
            std::numeric_limits<uint64_t>::max());
  EXPECT_GT(AvailableMemoryBytes(), 1U << 20);
}

TEST(DescriptorLimit, IsRaisedOrRefused) {
  EXPECT_OK(RaiseDescriptorLimit(64));
  EXPECT_THAT(RaiseDescriptorLimit(2000000000),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("ulimit -n 2000000000")));
}

}  // namespace
}  // namespace mesh::service
