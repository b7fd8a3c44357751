// SPDX-License-Identifier: Apache-2.0
#include "cli/served_mesh.h"

#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "cli/gateway_client.h"
#include "cli/mesh_readiness.h"
#include "cli/router_client.h"
#include "cli/text_generator.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mesh::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kModel[] = MESH_SOURCE_DIR "/models/tiny-r1";
constexpr absl::Duration kReadyLimit = absl::Seconds(60);

ServedMesh::Options SmallMesh() {
  ServedMesh::Options options;
  options.port = 0;
  options.num_experts = 2;
  options.model_dir = kModel;
  options.num_threads = 1;
  options.log_level = "error";
  return options;
}

void IgnoreFailure(const absl::Status&) {}

// Until the mesh answers; its state then.
MeshState AwaitReady(const ServedMesh& mesh, int num_nodes) {
  const absl::Time deadline = absl::Now() + kReadyLimit;
  auto router = RouterClient::Connect({mesh.RouterAddress(), {}}, kReadyLimit);
  EXPECT_TRUE(router.ok()) << router.status();
  std::string missing;
  while (router.ok() && absl::Now() < deadline) {
    const auto state = (*router)->GetState(false);
    EXPECT_TRUE(state.ok()) << state.status();
    if (!state.ok()) break;
    missing = WhatIsMissing(*state, num_nodes);
    if (missing.empty()) return *state;
    absl::SleepFor(absl::Milliseconds(20));
  }
  ADD_FAILURE() << "not ready: " << missing;
  return {};
}

std::string Ask(AnswerSource& source) {
  AnswerOptions greedy;
  greedy.temperature = 0;
  const std::vector<gateway::ChatMessage> messages = {
      {gateway::Role::kUser, "How many \"r\"s in strawberry?", ""}};
  const auto answer = source.Generate(
      messages, greedy, [](const AnswerPiece&) {}, [] { return false; });
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? answer->reasoning + "|" + answer->text : "";
}

std::string AnswerInThisProcess() {
  auto text = LoadTextModel(kModel, "");
  EXPECT_TRUE(text.ok()) << text.status();
  EmbeddedMesh::Options options;
  options.model_dir = kModel;
  auto mesh = EmbeddedMesh::Create(options);
  EXPECT_TRUE(mesh.ok()) << mesh.status();
  if (!text.ok() || !mesh.ok()) return "";
  TextGenerator generator(*std::move(mesh), *std::move(text));
  return Ask(generator);
}

class ServedMeshTest : public testing::TestWithParam<std::string> {};

TEST_P(ServedMeshTest, AnswersAsOneProcessDoes) {
  ServedMesh::Options options = SmallMesh();
  options.transport = GetParam();
  options.num_attention = 2;
  options.num_replicas = 2;
  auto mesh = ServedMesh::Start(options, IgnoreFailure);
  ASSERT_TRUE(mesh.ok()) << mesh.status();
  const MeshState state = AwaitReady(**mesh, 5);
  for (const NodeView& node : state.nodes) {
    if (node.role == "expert-node") {
      EXPECT_EQ(node.experts_placed, node.experts_held) << node.name;
    }
  }
  auto client =
      GatewayClient::Connect({(*mesh)->GatewayAddress(), {}}, kReadyLimit);
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(Ask(**client), AnswerInThisProcess());
  (*mesh)->Drain(absl::Seconds(10));
}

INSTANTIATE_TEST_SUITE_P(Transports, ServedMeshTest,
                         testing::Values("in-process", "ucx"),
                         [](const auto& each) {
                           return each.param == "ucx" ? "Ucx" : "InProcess";
                         });

TEST(ServedMesh, ReadsTheFileOfTheFourPrograms) {
  const std::string path = testing::TempDir() + "/served_mesh.yaml";
  std::ofstream(path) << "log_level: error\n"
                         "router:\n  heartbeat_interval: 100ms\n"
                         "expert-node:\n  model: /no/such/folder\n";
  ServedMesh::Options options = SmallMesh();
  options.config_path = path;
  options.model_dir.reset();
  EXPECT_THAT(ServedMesh::Start(options, IgnoreFailure).status().ToString(),
              HasSubstr("/no/such/folder"));
  std::ofstream(path) << "router:\n  bogus: 1\n";
  EXPECT_THAT(ServedMesh::Start(options, IgnoreFailure).status().ToString(),
              HasSubstr("bogus"));
}

TEST(ServedMesh, ErrorsAreThoseOfTheRoles) {
  ServedMesh::Options options = SmallMesh();
  options.model_dir = "/no/such/folder";
  EXPECT_EQ(ServedMesh::Start(options, IgnoreFailure).status().code(),
            absl::StatusCode::kNotFound);
  options = SmallMesh();
  options.log_level = "loud";
  EXPECT_THAT(ServedMesh::Start(options, IgnoreFailure).status().ToString(),
              HasSubstr("loud"));
}

}  // namespace
}  // namespace mesh::cli
