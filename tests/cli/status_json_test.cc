// SPDX-License-Identifier: Apache-2.0
#include "cli/status_json.h"

#include <string>

#include "core/json.h"
#include "gtest/gtest.h"
#include "tests/cli/mesh_state_maker.h"

namespace mesh::cli {
namespace {

Json Parse(const std::string& text) {
  auto json = ParseJson(text, "status");
  EXPECT_TRUE(json.ok()) << json.status();
  return json.ok() ? *json : Json();
}

TEST(StatusJson, SaysEverythingUnderStableNames) {
  const Json json = Parse(StatusJson(MakeMesh(), /*one_line=*/false));
  EXPECT_EQ(json["model_digest"], "00112233445566778899aabbccddeeff");
  EXPECT_EQ(json["numerics"], "bf16-1");
  EXPECT_EQ(json["router"]["address"], "127.0.0.1:9401");
  EXPECT_EQ(json["term"], 1);
  EXPECT_EQ(json["active_epoch"], (uint64_t{1} << 32) | 2);
  ASSERT_EQ(json["nodes"].size(), 4u);
  EXPECT_EQ(json["nodes"][0]["role"], "gateway");
  EXPECT_FALSE(json["nodes"][0].contains("experts_held"));
  const Json& attention = json["nodes"][1];
  EXPECT_EQ(attention["kv_blocks_free"], 44);
  EXPECT_EQ(attention["emitted_tokens_total"], 500);
  EXPECT_FALSE(attention.contains("rows_computed_total"));
  const Json& expert = json["nodes"][3];
  EXPECT_EQ(expert["name"], "expert-1");
  EXPECT_EQ(expert["health"], "ready");
  EXPECT_EQ(expert["rows_computed_total"], 7000);
  EXPECT_EQ(expert["lane"], "tcp/lo");
  EXPECT_FALSE(json.contains("load"));
}

TEST(StatusJson, LoadIsThereWhenAskedFor) {
  MeshState mesh = MakeMesh();
  mesh.load.push_back({"1s", 0.5, {{3, {0, 7}, 2.0}}});
  const Json json = Parse(StatusJson(mesh, false));
  ASSERT_EQ(json["load"].size(), 1u);
  EXPECT_EQ(json["load"][0]["window"], "1s");
  EXPECT_EQ(json["load"][0]["layers"][0]["layer"], 3);
  EXPECT_EQ(json["load"][0]["layers"][0]["rows"], Json({0, 7}));
}

TEST(StatusJson, OneLineForWatching) {
  const std::string text = StatusJson(MakeMesh(), /*one_line=*/true);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(StatusJson, ANameThatIsNoTextDoesNotBreakIt) {
  MeshState mesh = MakeMesh();
  mesh.nodes[0].name = "a\xff";
  EXPECT_EQ(Parse(StatusJson(mesh, false))["nodes"][0]["name"], "a\ufffd");
}

}  // namespace
}  // namespace mesh::cli
