// SPDX-License-Identifier: Apache-2.0
// Admission under more than the mesh can do, on virtual time.
#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "gateway/api_error.h"
#include "tests/gateway/admission/admission_fixture.h"
#include "tests/gateway/admission/mesh_simulation.h"

namespace mesh::gateway {
namespace {

using Simulated = std::unique_ptr<MeshSimulation>;

class Overload : public testing::TestWithParam<uint64_t> {
 protected:
  // Three tenants alike, `load` times what the mesh can do together.
  Simulated Make(double load, absl::Duration mean_stream_time) const {
    auto mesh = std::make_unique<MeshSimulation>(MeshSimulation::Options{
        .mean_stream_time = mean_stream_time, .seed = GetParam()});
    for (const char* name : {"a", "b", "c"}) {
      mesh->AddTenant(MakeTenant(name), load / 3);
    }
    return mesh;
  }

  static void ExpectNothingLost(const MeshSimulation& mesh,
                                const AdmissionStats& stats) {
    EXPECT_EQ(stats.num_running, 0);
    EXPECT_EQ(stats.waiting, DemandSize());
    for (const auto& request : mesh.Requests()) {
      // Exactly one of the three; what started, finished.
      ASSERT_EQ(request.finished.has_value(), request.started.has_value());
      ASSERT_EQ(request.finished.has_value() + request.refused.has_value() +
                    request.left,
                1);
    }
  }
};

TEST_P(Overload, ThreeTimesTheLoadKeepsTheMeshBusyAndAnswersInTime) {
  for (const absl::Duration stream_time :
       {absl::Milliseconds(200), absl::Seconds(2), absl::Seconds(8)}) {
    const absl::Duration run = std::max(absl::Seconds(60), 30 * stream_time);
    const Simulated full = Make(1, stream_time);
    const Simulated over = Make(3, stream_time);
    const absl::Time begin = full->Now();
    const absl::Time end = begin + run;
    const absl::Time warm = begin + run / 6;
    for (MeshSimulation* mesh : {full.get(), over.get()}) {
      mesh->Run(run);
      mesh->RunToEnd();
    }
    EXPECT_GE(over->FinishedPerSecond(warm, end),
              0.9 * over->RequestsPerSecond());
    // From the first second on: also while the queue builds up.
    EXPECT_LE(over->LatencyQuantile(begin, end, 0.99),
              2 * full->LatencyQuantile(begin, end, 0.99))
        << stream_time;
    ExpectNothingLost(*over, over->Checked().Stats());
  }
}

TEST_P(Overload, HintsAreTrue) {
  const Simulated mesh = Make(3, absl::Seconds(2));
  const absl::Time begin = mesh->Now();
  mesh->Run(absl::Seconds(300));
  const auto true_hints = mesh->TrueHints(begin, mesh->Now());
  ASSERT_TRUE(true_hints.has_value());
  EXPECT_GE(*true_hints, 0.95);
  for (const auto& request : mesh->Requests()) {
    if (!request.refused.has_value()) continue;
    ASSERT_EQ(request.refusal.code(), absl::StatusCode::kResourceExhausted);
    ASSERT_EQ(DetailsOf(request.refusal).code, "overloaded");
    ASSERT_GT(request.hint, absl::ZeroDuration());
    // At once, or when its time in the queue was over.
    ASSERT_LE(*request.refused - request.asked, absl::Milliseconds(5020));
  }
}

TEST_P(Overload, AFloodOfOneTenantLeavesTheOthersTheirShare) {
  MeshSimulation mesh({.seed = GetParam()});
  const size_t flood = mesh.AddTenant(MakeTenant("flood"), 0.3);
  const size_t modest = mesh.AddTenant(MakeTenant("modest"), 0.3);
  const size_t greedy = mesh.AddTenant(MakeTenant("greedy"), 0.6);
  mesh.Run(absl::Seconds(30));
  mesh.SetLoad(flood, 10);
  const absl::Time begin = mesh.Now() + absl::Seconds(10);
  mesh.Run(absl::Seconds(190));
  const absl::Time end = mesh.Now();
  mesh.RunToEnd();
  const double all = mesh.RequestsPerSecond();
  // All that it asks for, being less than a third; and a share of the rest.
  EXPECT_GE(mesh.FinishedPerSecond(begin, end, modest), 0.9 * 0.3 * all);
  EXPECT_GE(mesh.FinishedPerSecond(begin, end, greedy), 0.9 * 0.35 * all);
  EXPECT_GE(mesh.FinishedPerSecond(begin, end), 0.9 * all);
  ExpectNothingLost(mesh, mesh.Checked().Stats());
}

TEST_P(Overload, IsOverSoonAfterTheLoadFalls) {
  const Simulated mesh = Make(3, absl::Milliseconds(500));
  mesh->Run(absl::Seconds(60));
  for (size_t tenant = 0; tenant < 3; ++tenant) mesh->SetLoad(tenant, 0.8 / 3);
  mesh->Run(absl::Seconds(5));
  const absl::Time begin = mesh->Now();
  mesh->Run(absl::Seconds(120));
  mesh->RunToEnd();
  size_t num_asked = 0;
  size_t num_refused = 0;
  size_t num_late = 0;
  for (const auto& request : mesh->Requests()) {
    if (request.asked < begin) continue;
    ++num_asked;
    num_refused += request.refused.has_value();
    num_late += request.started.has_value() &&
                *request.started - request.asked > absl::Milliseconds(250);
  }
  EXPECT_LE(num_refused, num_asked / 100);
  EXPECT_LE(num_late, num_asked / 50);
}

TEST_P(Overload, NothingLeaksWhateverHappens) {
  std::mt19937_64 random(GetParam());
  const auto draw = [&](uint64_t below) { return random() % below; };
  MeshSimulation mesh({.num_streams = 8,
                       .mean_stream_time = absl::Milliseconds(300),
                       .admission = {.max_waiting = {20, 3000, 15000},
                                     .max_wait = absl::Seconds(1)},
                       .seed = GetParam()});
  for (const char* name : {"a", "b", "c", "d"}) {
    const auto tenant = MakeTenant(name);
    tenant->concurrency = static_cast<int64_t>(draw(4));
    tenant->requests_per_minute = static_cast<int64_t>(draw(2) * 900);
    tenant->tokens_per_minute = static_cast<int64_t>(draw(2) * 200000);
    tenant->priority_class = static_cast<PriorityClass>(draw(3));
    mesh.AddTenant(tenant, 0.5);
  }
  mesh.SetLeaving(0.02);
  for (int i = 0; i < 200; ++i) {
    mesh.SetCapacity(static_cast<int>(draw(12)));
    mesh.SetLoad(draw(4), static_cast<double>(draw(30)) / 10);
    mesh.Run(absl::Milliseconds(draw(1000)));
    const AdmissionStats stats = mesh.Checked().Stats();
    ASSERT_LE(stats.waiting.count, 20u);
    ASSERT_LE(stats.waiting.tokens, 3000u);
    ASSERT_LE(stats.waiting.bytes, 15000u);
  }
  mesh.RunToEnd();
  ExpectNothingLost(mesh, mesh.Checked().Stats());
}

INSTANTIATE_TEST_SUITE_P(Seeds, Overload, testing::Values(1, 2, 3));

}  // namespace
}  // namespace mesh::gateway
