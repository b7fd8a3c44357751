// SPDX-License-Identifier: Apache-2.0
#include "router/placement/planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "absl/time/clock.h"
#include "router/placement/even_placement.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

using ::testing::HasSubstr;

ExpertGrid Grid(int num_layers, int num_experts) {
  std::vector<LayerId> layers;
  for (int l = 0; l < num_layers; ++l) {
    layers.push_back(LayerId{static_cast<uint16_t>(l + 3)});
  }
  return {layers, num_experts};
}

// A mesh whose plan is carried out over and over.
struct Mesh {
  Mesh(int num_layers, int num_experts, int num_groups, int num_replicas)
      : grid(Grid(num_layers, num_experts)) {
    request.grid = &grid;
    request.num_groups = num_groups;
    request.num_replicas = num_replicas;
  }
  Mesh(const Mesh&) = delete;
  Mesh& operator=(const Mesh&) = delete;

  void Join(uint32_t id, size_t capacity) {
    request.nodes.push_back({NodeId{id}, capacity, ExpertSet(grid.Size())});
  }
  void Join(uint32_t id) { Join(id, grid.Size()); }
  void Leave(size_t node) {
    request.nodes.erase(request.nodes.begin() + static_cast<ptrdiff_t>(node));
  }
  // Experts that a node gains.
  size_t Apply(const Plan& plan) {
    size_t moves = 0;
    for (size_t n = 0; n < plan.size(); ++n) {
      for (size_t i = 0; i < grid.Size(); ++i) {
        moves += plan[n][i] && !request.nodes[n].current[i];
      }
      request.nodes[n].current = plan[n];
    }
    return moves;
  }
  size_t Replan() {
    const auto plan = PlanPlacement(request);
    EXPECT_OK(plan);
    return plan.ok() ? Apply(*plan) : 0;
  }

  ExpertGrid grid;
  PlanRequest request;
};

size_t CountInLayer(const ExpertSet& set, const ExpertGrid& grid, size_t l) {
  size_t count = 0;
  for (size_t e = 0; e < grid.NumExperts(); ++e) {
    count += set[l * grid.NumExperts() + e];
  }
  return count;
}

void ExpectSound(const Mesh& mesh, size_t replicas, const std::string& what) {
  for (size_t i = 0; i < mesh.grid.Size(); ++i) {
    size_t copies = 0;
    for (const auto& node : mesh.request.nodes) copies += node.current[i];
    ASSERT_EQ(copies, replicas) << what << " expert " << i;
  }
  for (const auto& node : mesh.request.nodes) {
    ASSERT_LE(CountOf(node.current), node.capacity) << what;
  }
}

// Equal nodes differ by at most one unit, in every layer and in total.
void ExpectEven(const Mesh& mesh, size_t unit, const std::string& what) {
  const auto spread = [&](auto count) {
    size_t least = SIZE_MAX;
    size_t most = 0;
    for (const auto& node : mesh.request.nodes) {
      least = std::min(least, count(node.current));
      most = std::max(most, count(node.current));
    }
    return most - least;
  };
  for (size_t l = 0; l < mesh.grid.Layers().size(); ++l) {
    ASSERT_LE(spread([&](const ExpertSet& set) {
                return CountInLayer(set, mesh.grid, l);
              }),
              unit)
        << what << " layer " << l;
  }
  ASSERT_LE(spread([](const ExpertSet& set) { return CountOf(set); }), unit)
      << what;
}

size_t UnitOf(const Mesh& mesh) {
  const auto groups = static_cast<size_t>(mesh.request.num_groups);
  return mesh.request.nodes.size() <= groups ? mesh.grid.NumExperts() / groups
                                             : 1;
}

TEST(Planner, AFreshPlanIsAsEvenAsEvenPlacement) {
  for (uint32_t num_nodes = 1; num_nodes <= 20; ++num_nodes) {
    for (const int replicas : {1, 2, 3}) {
      Mesh mesh(5, 32, 8, replicas);
      for (uint32_t n = 1; n <= num_nodes; ++n) mesh.Join(n);
      mesh.Replan();
      const std::string what =
          std::to_string(num_nodes) + " nodes, " + std::to_string(replicas);
      ExpectSound(mesh,
                  std::min(static_cast<size_t>(replicas), size_t{num_nodes}),
                  what);
      ExpectEven(mesh, UnitOf(mesh), what);
    }
  }
}

TEST(Planner, KeepsGroupsTogetherWhileThereAreNoMoreNodesThanGroups) {
  Mesh mesh(3, 32, 8, 1);
  for (uint32_t n = 1; n <= 5; ++n) mesh.Join(n);
  mesh.Replan();
  for (const auto& node : mesh.request.nodes) {
    for (size_t i = 0; i < mesh.grid.Size(); ++i) {
      EXPECT_EQ(node.current[i], node.current[i / 4 * 4]);
    }
  }
}

TEST(Planner, LeavesAnEvenPlacementAlone) {
  // Counts for which EvenPlacement is even in total, too.
  for (const uint32_t num_nodes : {1U, 2U, 3U, 4U, 7U, 8U, 16U}) {
    Mesh mesh(4, 64, 8, 1);
    std::vector<NodeId> ids;
    for (uint32_t n = 1; n <= num_nodes; ++n) {
      mesh.Join(n);
      ids.push_back(NodeId{n});
    }
    const auto even = EvenPlacement({.layers = mesh.grid.Layers(),
                                     .num_experts = 64,
                                     .num_groups = 8,
                                     .nodes = ids});
    ASSERT_OK(even);
    for (auto& node : mesh.request.nodes) {
      for (const ExpertKey& key : (*even)->HostedBy(node.id)) {
        node.current[*mesh.grid.IndexOf(key)] = true;
      }
    }
    EXPECT_EQ(mesh.Replan(), 0U) << num_nodes;
  }
}

TEST(Planner, AJoinMovesOnlyTheNewNodesShare) {
  for (uint32_t num_nodes = 1; num_nodes <= 16; ++num_nodes) {
    for (const int replicas : {1, 2}) {
      if (num_nodes < static_cast<uint32_t>(replicas)) continue;
      Mesh mesh(8, 64, 8, replicas);
      for (uint32_t n = 1; n <= num_nodes; ++n) mesh.Join(n);
      mesh.Replan();
      ASSERT_EQ(mesh.Replan(), 0U);
      mesh.Join(num_nodes + 1);
      const size_t copies = mesh.grid.Size() * static_cast<size_t>(replicas);
      const size_t moves = mesh.Replan();
      const std::string what = std::to_string(num_nodes) + "+1 nodes, " +
                               std::to_string(replicas) + " replicas";
      EXPECT_LE(moves, copies / (num_nodes + 1) + copies / 16 + 8) << what;
      ExpectSound(mesh, static_cast<size_t>(replicas), what);
      ExpectEven(mesh, UnitOf(mesh), what);
    }
  }
}

TEST(Planner, ADrainMovesOnlyWhatTheNodeHad) {
  for (uint32_t num_nodes = 2; num_nodes <= 16; ++num_nodes) {
    Mesh mesh(8, 64, 8, 1);
    for (uint32_t n = 1; n <= num_nodes; ++n) mesh.Join(n);
    mesh.Replan();
    const size_t had = CountOf(mesh.request.nodes[num_nodes / 2].current);
    mesh.Leave(num_nodes / 2);
    const size_t moves = mesh.Replan();
    const std::string what = std::to_string(num_nodes) + "-1 nodes";
    // At nine nodes single experts become whole groups again.
    if (num_nodes != 9) {
      EXPECT_LE(moves, had + 16) << what;
    }
    ExpectSound(mesh, 1, what);
    ExpectEven(mesh, UnitOf(mesh), what);
  }
}

TEST(Planner, CoverAddsOnlyWhatIsMissingAndIsEvenAlready) {
  Mesh mesh(8, 64, 8, 1);
  for (uint32_t n = 1; n <= 4; ++n) mesh.Join(n);
  mesh.Replan();
  const size_t had = CountOf(mesh.request.nodes[1].current);
  mesh.Leave(1);
  const auto cover = PlanCover(mesh.request);
  ASSERT_OK(cover);
  EXPECT_EQ(mesh.Apply(*cover), had);
  ExpectSound(mesh, 1, "cover");
  EXPECT_EQ(mesh.Replan(), 0U);
}

TEST(Planner, RespectsRandomCapacitiesAndMembers) {
  std::mt19937 random(20);
  for (int round = 0; round < 1000; ++round) {
    const auto draw = [&](size_t least, size_t most) {
      return least + random() % (most - least + 1);
    };
    const int groups = 1 << draw(0, 2);
    const int replicas = static_cast<int>(draw(1, 3));
    Mesh mesh(static_cast<int>(draw(1, 5)), groups * 4, groups, replicas);
    const auto join = [&](uint32_t id) {
      mesh.Join(id, draw(mesh.grid.Size() / 4, mesh.grid.Size()));
    };
    const auto num_nodes = static_cast<uint32_t>(draw(1, 8));
    for (uint32_t n = 0; n < num_nodes; ++n) join(n + 1);
    for (int step = 0; step < 4; ++step) {
      size_t room = 0;
      for (const auto& node : mesh.request.nodes) room += node.capacity;
      const auto plan =
          step == 2 ? PlanCover(mesh.request) : PlanPlacement(mesh.request);
      if (step != 2) {
        ASSERT_EQ(plan.ok(), room >= mesh.grid.Size());
      }
      if (plan.ok()) {
        mesh.Apply(*plan);
        for (size_t i = 0; i < mesh.grid.Size(); ++i) {
          size_t copies = 0;
          for (const auto& node : mesh.request.nodes) copies += node.current[i];
          ASSERT_GE(copies, 1U) << round;
          ASSERT_LE(copies, static_cast<size_t>(replicas)) << round;
        }
        for (const auto& node : mesh.request.nodes) {
          ASSERT_LE(CountOf(node.current), node.capacity) << round;
        }
      }
      if (step == 0) join(100);
      if (step == 1 && mesh.request.nodes.size() > 1) mesh.Leave(0);
    }
  }
}

TEST(Planner, GivesSecondCopiesOnlyAsFarAsThereIsRoom) {
  Mesh mesh(2, 8, 2, 2);
  for (uint32_t n = 1; n <= 3; ++n) mesh.Join(n, 8);
  mesh.Replan();
  size_t copies = 0;
  for (const auto& node : mesh.request.nodes) copies += CountOf(node.current);
  EXPECT_EQ(copies, 24U);
}

TEST(Planner, SaysWhatIsMissing) {
  Mesh mesh(2, 8, 2, 1);
  EXPECT_THAT(PlanPlacement(mesh.request),
              StatusIs(absl::StatusCode::kInvalidArgument));
  mesh.Join(1, 7);
  mesh.Join(2, 8);
  const auto matcher =
      StatusIs(absl::StatusCode::kResourceExhausted,
               HasSubstr("need room for 16, the 2 expert nodes have room for "
                         "15"));
  EXPECT_THAT(PlanPlacement(mesh.request), matcher);
  EXPECT_THAT(PlanCover(mesh.request), matcher);
}

TEST(Planner, IsQuickForTheLargestModel) {
  Mesh mesh(58, 256, 8, 2);
  for (uint32_t n = 1; n <= 32; ++n) mesh.Join(n);
  const absl::Time start = absl::Now();
  mesh.Replan();
  mesh.Leave(7);
  mesh.Replan();
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  ExpectEven(mesh, 1, "58 layers");
}

}  // namespace
}  // namespace mesh::router
