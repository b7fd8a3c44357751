// SPDX-License-Identifier: Apache-2.0
// A mesh of eight processes that nobody asks anything: what it costs, and what
// it says about itself.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/mesh/mesh_checks.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/http_get.h"
#include "tests/support/process_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh {
namespace {

using testing::HasSubstr;

std::string RoleOf(const std::string& name) {
  if (name.starts_with("expert-")) return "expert-node";
  if (name.starts_with("attention-")) return "attention-node";
  return name;
}

class MeshIdle : public testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(mesh_.Start()); }

  std::map<std::string, common::v1::NodeInfo> Nodes() {
    std::map<std::string, common::v1::NodeInfo> nodes;
    const auto list = mesh_.ListNodes();
    EXPECT_OK(list);
    if (!list.ok()) return nodes;
    for (const router::v1::NodeState& node : list->nodes()) {
      nodes[node.node().name()] = node.node();
    }
    nodes["router"] = list->router();
    return nodes;
  }

  ProcessMesh mesh_{{.num_expert_nodes = 4, .num_attention_nodes = 2}};
};

// The aim is 1 % of the machine. Heartbeats and the timers of gRPC wake each
// process some 20 to 150 times a second, and what that costs depends on the
// machine; a thread that polls where it should sleep costs more than the limit
// here.
TEST_F(MeshIdle, HardlyUsesTheCpu) {
  constexpr absl::Duration kWindow = absl::Seconds(5);
  constexpr double kMaxPercentOfACore = 6;
  // After work: idle means that whatever the work started has ended.
  GatewayStreams streams(mesh_.Gateway(), 16, 16);
  ExpectAllSame(streams.Finish(absl::Minutes(1)), "before");
  ExpectNothingHeld(mesh_);
  std::map<std::string, absl::Duration> before;
  for (const std::string& name : mesh_.Names()) {
    before[name] = mesh_.Process(name).CpuTime();
  }
  ASSERT_EQ(before.size(), 8U);
  const absl::Time start = absl::Now();
  absl::SleepFor(kWindow);
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  double total = 0;
  for (const auto& [name, then] : before) {
    const double percent =
        100 * absl::ToDoubleSeconds(mesh_.Process(name).CpuTime() - then) /
        seconds;
    std::printf("%-12s %.3f %% of a core\n", name.c_str(), percent);
    total += percent;
  }
  std::printf(
      "ran: idle mesh of 8 processes: %.2f %% of a core, %.2f %% of the "
      "machine\n",
      total, total / std::thread::hardware_concurrency());
  EXPECT_LT(total, kMaxPercentOfACore);
}

TEST_F(MeshIdle, HealthIsServingUnderEveryName) {
  const std::map<std::string, std::vector<std::string>> services = {
      {"gateway", {"mesh.gateway.v1.InferenceService"}},
      {"router",
       {"mesh.router.v1.MembershipService", "mesh.router.v1.PlacementService"}},
      {"attention-node", {"mesh.attention.v1.AttentionService"}},
      {"expert-node", {"mesh.expert.v1.ExpertService"}}};
  const auto nodes = Nodes();
  ASSERT_EQ(nodes.size(), 8U);
  for (const auto& [name, node] : nodes) {
    std::vector<std::string> names = services.at(RoleOf(name));
    names.insert(names.end(), {"", "liveness", "readiness"});
    for (const std::string& service : names) {
      EXPECT_OK(mesh_.Client().CheckHealth(node.grpc_address(), service))
          << name << " '" << service << "'";
    }
    EXPECT_THAT(mesh_.Client().CheckHealth(node.grpc_address(), "unknown"),
                StatusIs(absl::StatusCode::kNotFound));
  }
}

TEST_F(MeshIdle, MetricsAnswerWithTheDocumentedNames) {
  const std::map<std::string, std::vector<std::string>> metrics = {
      {"gateway", {"mesh_requests_running", "mesh_gateway_attention_nodes"}},
      {"router",
       {"mesh_router_term", "mesh_node_up", "mesh_placement_generation"}},
      {"attention-node",
       {"mesh_kv_blocks", "mesh_emitted_tokens_total",
        "mesh_dispatch_bytes_total"}},
      {"expert-node",
       {"mesh_experts_held", "mesh_expert_rows_total",
        "mesh_dispatch_bytes_total"}}};
  const auto nodes = Nodes();
  ASSERT_EQ(nodes.size(), 8U);
  for (const auto& [name, node] : nodes) {
    const std::string answer = HttpGet(node.metrics_address(), "/metrics");
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200")) << name;
    std::vector<std::string> names = metrics.at(RoleOf(name));
    names.insert(names.end(),
                 {"mesh_build_info", "mesh_process_resident_memory_bytes",
                  "mesh_process_open_fds", "mesh_process_cpu_seconds_total"});
    for (const std::string& metric : names) {
      EXPECT_THAT(answer, HasSubstr("\n# TYPE " + metric + " ")) << name;
    }
  }
}

TEST_F(MeshIdle, EveryLogLineIsAnObjectWithTheSameFields) {
  for (const std::string& name : mesh_.Names()) {
    std::istringstream lines(mesh_.Process(name).Log());
    int num_lines = 0;
    for (std::string line; std::getline(lines, line); ++num_lines) {
      const absl::StatusOr<Json> event = ParseJson(line, name);
      ASSERT_OK(event) << line;
      for (const char* field : {"time", "level", "role", "node", "event"}) {
        EXPECT_TRUE(event->contains(field)) << line;
      }
      EXPECT_EQ(event->value("role", ""), RoleOf(name)) << line;
      EXPECT_EQ(event->value("node", ""), name) << line;
    }
    EXPECT_GT(num_lines, 0) << name;
  }
}

}  // namespace
}  // namespace mesh
