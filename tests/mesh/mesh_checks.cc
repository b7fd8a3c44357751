// SPDX-License-Identifier: Apache-2.0
#include "tests/mesh/mesh_checks.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace mesh {

void ExpectAllSame(const StreamsReport& report, const std::string& what) {
  EXPECT_EQ(report.num_failed, 0) << what << ": " << report.first_problem;
  EXPECT_EQ(report.num_different, 0) << what << ": " << report.first_problem;
  EXPECT_GT(report.num_same, 0) << what;
}

DataPlaneBytes ExpectUcxLinks(ProcessMesh& mesh) {
  DataPlaneBytes bytes;
  for (const std::string& name : mesh.AttentionNames()) {
    const auto stats = mesh.AttentionStats(name);
    EXPECT_OK(stats);
    if (!stats.ok()) continue;
    int num_connected = 0;
    for (const attention::v1::LinkStats& link : stats->links()) {
      if (!link.connected()) continue;
      ++num_connected;
      EXPECT_EQ(link.transport(), "ucx") << name;
      EXPECT_TRUE(absl::StartsWith(link.lane(), "tcp/"))
          << name << ": " << link.lane();
    }
    bytes.sent += stats->dispatch().bytes_sent();
    bytes.received += stats->dispatch().bytes_received();
    EXPECT_EQ(num_connected, static_cast<int>(mesh.ExpertNames().size()));
  }
  for (const std::string& name : mesh.ExpertNames()) {
    const auto stats = mesh.ExpertStats(name);
    EXPECT_OK(stats);
    if (!stats.ok()) continue;
    EXPECT_TRUE(absl::StartsWith(stats->lane(), "tcp/"))
        << name << ": " << stats->lane();
    EXPECT_GT(stats->bytes_received(), 0) << name;
    EXPECT_GT(stats->bytes_sent(), 0) << name;
  }
  return bytes;
}

std::map<std::string, Usage> MeasureUsage(ProcessMesh& mesh) {
  std::map<std::string, Usage> usage;
  for (const std::string& name : mesh.Names()) {
    const ChildProcess& process = mesh.Process(name);
    usage[name] = {process.NumDescriptors(), process.RssBytes()};
  }
  return usage;
}

void ExpectNothingHeld(ProcessMesh& mesh) {
  EXPECT_OK(mesh.WaitUntil(absl::Seconds(10), [&mesh] {
    for (const std::string& name : mesh.AttentionNames()) {
      const auto stats = mesh.AttentionStats(name);
      if (!stats.ok()) return stats.status();
      const attention::v1::EngineLoad& load = stats->load();
      if (load.kv_blocks_total() == 0 ||
          load.kv_blocks_free() != load.kv_blocks_total() ||
          load.streams_running() + load.streams_waiting() > 0) {
        return absl::UnavailableError(
            absl::StrCat(name, " holds ", load.ShortDebugString()));
      }
    }
    return absl::OkStatus();
  }));
}

void ExpectBaseline(ProcessMesh& mesh,
                    const std::map<std::string, Usage>& before) {
  constexpr int kMoreDescriptors = 4;
  constexpr uint64_t kMoreBytes = uint64_t{24} << 20;
  for (const auto& [name, now] : MeasureUsage(mesh)) {
    const auto then = before.find(name);
    if (then == before.end()) continue;
    std::printf("%-12s descriptors %d, then %d; MiB %lu, then %lu\n",
                name.c_str(), then->second.num_descriptors, now.num_descriptors,
                then->second.rss_bytes >> 20, now.rss_bytes >> 20);
    EXPECT_LE(now.num_descriptors,
              then->second.num_descriptors + kMoreDescriptors)
        << name;
    EXPECT_LE(now.rss_bytes, then->second.rss_bytes + kMoreBytes) << name;
  }
}

}  // namespace mesh
