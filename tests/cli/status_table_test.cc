// SPDX-License-Identifier: Apache-2.0
#include "cli/status_table.h"

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/mesh_state_maker.h"

namespace mesh::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// The cells of the line that begins with `name`.
std::vector<std::string> Cells(const std::string& text,
                               const std::string& name) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, name + " ")) continue;
    std::vector<std::string> cells;
    for (const absl::string_view cell :
         absl::StrSplit(line, "  ", absl::SkipWhitespace())) {
      cells.emplace_back(absl::StripAsciiWhitespace(cell));
    }
    return cells;
  }
  return {};
}

TEST(StatusText, HeadSaysWhatIsServed) {
  MeshState mesh = MakeMesh();
  EXPECT_THAT(StatusText(mesh, nullptr),
              HasSubstr("model 001122334455  numerics bf16-1  router "
                        "127.0.0.1:9401  term 1  epoch 1.2  steady\n"));
  mesh.activity = "epoch 1.3: waiting for expert-1 to load";
  EXPECT_THAT(StatusText(mesh, nullptr),
              HasSubstr("epoch 1.2  epoch 1.3: waiting for expert-1"));
}

TEST(StatusText, EachRoleShowsWhatItHas) {
  const std::string text = StatusText(MakeMesh(), nullptr);
  EXPECT_THAT(Cells(text, "NODE"),
              ElementsAre("NODE", "ROLE", "HEALTH", "PLACED/HELD/ROOM", "EPOCH",
                          "LANE", "MEMORY", "KV BLOCKS", "RUN/WAIT", "TOKENS",
                          "ROWS", "ROWS/S", "BEAT"));
  EXPECT_THAT(Cells(text, "gateway-0"),
              ElementsAre("gateway-0", "gateway", "ready", "-", "-", "-", "-",
                          "-", "-", "-", "-", "-", "0.2 s"));
  EXPECT_THAT(Cells(text, "attention-0"),
              ElementsAre("attention-0", "attention-node", "ready", "-", "1.2",
                          "tcp/lo", "300.0 MiB", "20/64", "3/1", "500", "-",
                          "-", "0.2 s"));
  EXPECT_THAT(
      Cells(text, "expert-1"),
      ElementsAre("expert-1", "expert-node", "ready", "128/128/4096", "1.2",
                  "tcp/lo", "-", "-", "-", "-", "7000", "-", "0.2 s"));
}

TEST(StatusText, TwoStatesGiveRates) {
  const MeshState before = MakeMesh();
  MeshState now = before;
  now.taken_at += absl::Seconds(2);
  now.nodes[1].emitted_tokens += 25;
  now.nodes[2].rows_computed += 300;
  now.nodes[3].rows_computed = 10;  // started again
  now.nodes.push_back(MakeNode("expert-9", "expert-node"));
  const std::string text = StatusText(now, &before);
  EXPECT_EQ(Cells(text, "attention-0").at(9), "12.5/s");
  EXPECT_EQ(Cells(text, "expert-0").at(11), "150.0/s");
  EXPECT_EQ(Cells(text, "expert-1").at(11), "5.0/s");
  EXPECT_EQ(Cells(text, "expert-9").at(11), "-");
}

TEST(StatusText, SaysWhatALoadingNodeDoes) {
  MeshState mesh = MakeMesh();
  mesh.nodes[2].health = NodeHealth::kLoading;
  mesh.nodes[2].activity = "loading experts 120/512, 4 s left";
  const auto cells = Cells(StatusText(mesh, nullptr), "expert-0");
  EXPECT_EQ(cells.at(2), "loading");
  EXPECT_EQ(cells.back(), "loading experts 120/512, 4 s left");
}

TEST(StatusText, AnEmptyMesh) {
  MeshState mesh;
  mesh.router_address = "127.0.0.1:1";
  const std::string text = StatusText(mesh, nullptr);
  EXPECT_THAT(text, HasSubstr("model none yet  numerics -"));
  EXPECT_THAT(text, HasSubstr("no node has joined\n"));
}

TEST(LoadText, HottestFirstAndImbalanceOfLayers) {
  MeshState mesh;
  mesh.load.push_back(
      {"1s", 0.5, {{1, {0, 7, 7, 1}, 1.87}, {2, {0, 0, 0, 9}, 4.0}}});
  mesh.load.push_back({"10s", 3, {{1, {0, 0, 0, 0}, 0}, {2, {0, 0}, 0}}});
  const std::string text = LoadText(mesh);
  EXPECT_THAT(text, HasSubstr("2:3 9, 1:1 7, 1:2 7, 1:3 1\n"));
  EXPECT_THAT(text, HasSubstr("no rows"));
  EXPECT_THAT(Cells(text, "LAYER"),
              ElementsAre("LAYER", "IMBALANCE 1s", "IMBALANCE 10s"));
  EXPECT_THAT(text, HasSubstr("1.87"));
  EXPECT_THAT(text, Not(HasSubstr("0.00")));
}

}  // namespace
}  // namespace mesh::cli
