// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/expert-node/expert_peer.h"
#include "tests/expert-node/wait_for.h"
#include "tests/support/status_matchers.h"

namespace mesh::expert {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const char kModel[] = MESH_SOURCE_DIR "/models/tiny-r1";

router::ExpertKey Key(int layer, int expert) {
  return {LayerId{static_cast<uint16_t>(layer)},
          ExpertId{static_cast<uint16_t>(expert)}};
}

// A node that runs alone, over each transport.
class ExpertServiceTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ExpertServer::Options options;
    options.name = "expert-0";
    options.model_dir = kModel;
    options.kernels = "scalar";
    options.num_threads = 1;
    options.experts = "all";
    options.data_plane = DataPlane("expert-0");
    auto server = ExpertServer::Start(options, *logger_);
    ASSERT_OK(server);
    server_ = *std::move(server);
    ASSERT_TRUE(WaitFor([&] { return server_->Ready(); }));
  }
  router::DataPlaneOptions DataPlane(const std::string& name) {
    router::DataPlaneOptions options;
    options.transport = GetParam();
    options.network = &network_;
    options.name = name;
    return options;
  }
  std::unique_ptr<ExpertPeer> NewPeer(const std::string& name) {
    return std::make_unique<ExpertPeer>(kModel, "scalar", DataPlane(name));
  }

  router::InProcessNetwork network_;
  const std::unique_ptr<service::Logger> logger_ =
      *service::Logger::Create("error", "expert-node", "expert-0");
  std::unique_ptr<ExpertServer> server_;
};
INSTANTIATE_TEST_SUITE_P(Transports, ExpertServiceTest,
                         ::testing::Values("in-process", "ucx"),
                         [](const auto& test) {
                           return std::string(test.param) == "ucx"
                                      ? "Ucx"
                                      : "InProcess";
                         });

TEST_P(ExpertServiceTest, OpensALinkThatAnswersRows) {
  const auto peer = NewPeer("attention-0");
  ASSERT_OK(peer->Link(server_->Address()));
  EXPECT_TRUE(peer->RowIsRight(Key(1, 5)));
  EXPECT_TRUE(peer->RowIsRight(Key(2, 255)));
  absl::StatusOr<v1::GetStatsResponse> stats;
  // Counts appear a moment after the answer.
  EXPECT_TRUE(WaitFor([&] {
    stats = ExpertPeer::Stats(server_->Address(), false);
    return !stats.ok() || stats->frames_answered() == 2;
  }));
  ASSERT_OK(stats);
  EXPECT_EQ(stats->rows_computed(), 2U);
  EXPECT_EQ(stats->links_open(), 1U);
  EXPECT_EQ(stats->experts_held(), 1024U);
  EXPECT_EQ(stats->holdings_size(), 0);
  EXPECT_EQ(stats->node().name(), "expert-0");
  EXPECT_GT(stats->bytes_received(), 0U);
}

TEST_P(ExpertServiceTest, RefusesWhatDoesNotFitThenDoesGoodWork) {
  const auto peer = NewPeer("attention-0");
  using Change = std::function<void(v1::OpenDataPlaneRequest&)>;
  const struct {
    Change change;
    absl::StatusCode code;
    ::testing::Matcher<std::string> message;
  } cases[] = {
      {[](auto& r) {
         r.mutable_handshake()->set_min_protocol_version(99);
         r.mutable_handshake()->set_max_protocol_version(99);
       },
       absl::StatusCode::kFailedPrecondition,
       HasSubstr("protocol 99 to 99, this node 1 to 1")},
      {[](auto& r) {
         r.mutable_handshake()->set_model_digest(std::string(16, '\x5a'));
       },
       absl::StatusCode::kFailedPrecondition,
       AllOf(HasSubstr("5a5a5a5a"), HasSubstr("--model"))},
      {[](auto& r) { r.mutable_handshake()->set_model_digest("short"); },
       absl::StatusCode::kInvalidArgument, HasSubstr("5 bytes, expected 16")},
      {[](auto& r) { r.mutable_handshake()->set_numerics_class("f32-1"); },
       absl::StatusCode::kFailedPrecondition,
       AllOf(HasSubstr("\"f32-1\""), HasSubstr("\"bf16-1\""),
             HasSubstr("--kernels"))},
      {[](auto& r) { r.mutable_wire()->set_version(2); },
       absl::StatusCode::kFailedPrecondition,
       HasSubstr("format version 2, this node's 1")},
      {[](auto& r) { r.mutable_wire()->set_dtype("f32"); },
       absl::StatusCode::kFailedPrecondition,
       HasSubstr("rows of f32, this node's bf16")},
      {[](auto& r) { r.mutable_wire()->set_hidden_size(7168); },
       absl::StatusCode::kFailedPrecondition, HasSubstr("hidden size 7168")},
      {[](auto& r) { r.mutable_wire()->set_num_experts(8); },
       absl::StatusCode::kFailedPrecondition,
       HasSubstr("experts 8, this node's 256")},
      {[](auto& r) { r.clear_wire(); }, absl::StatusCode::kFailedPrecondition,
       HasSubstr("this node's bf16")},
      {[](auto& r) { r.set_transport("carrier pigeon"); },
       absl::StatusCode::kFailedPrecondition,
       AllOf(HasSubstr("carrier pigeon"), HasSubstr("--transport"))},
      {[](auto& r) { r.mutable_node()->clear_name(); },
       absl::StatusCode::kInvalidArgument, HasSubstr("node.name")},
      {[](auto& r) { r.set_address(std::string(5000, 'x')); },
       absl::StatusCode::kInvalidArgument, HasSubstr("at most 4096 bytes")},
  };
  for (const auto& one : cases) {
    v1::OpenDataPlaneRequest request = peer->Request();
    one.change(request);
    const auto response = ExpertPeer::Open(server_->Address(), request);
    EXPECT_THAT(response, StatusIs(one.code)) << response.status();
    EXPECT_THAT(std::string(response.status().message()), one.message);
  }
  ASSERT_OK(peer->Link(server_->Address()));
  EXPECT_TRUE(peer->RowIsRight(Key(1, 0)));
}

TEST_P(ExpertServiceTest, ListsHoldingsWithDigestsWhenAsked) {
  const auto stats = ExpertPeer::Stats(server_->Address(), true);
  ASSERT_OK(stats);
  ASSERT_EQ(stats->holdings_size(), 1024);
  EXPECT_EQ(stats->holdings(300).key().expert(), 300U % 256);
  EXPECT_EQ(stats->holdings(300).digest().size(), 16U);
}

TEST_P(ExpertServiceTest, DrainsAtOnceWithoutARouterAndClosesItsLinks) {
  const auto peer = NewPeer("attention-0");
  ASSERT_OK(peer->Link(server_->Address()));
  EXPECT_TRUE(peer->RowIsRight(Key(1, 0)));
  const std::string address = server_->Address();
  server_->Drain(absl::Seconds(30));
  server_ = nullptr;
  EXPECT_THAT(ExpertPeer::Open(address, peer->Request()),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_FALSE(peer->RowIsRight(Key(1, 0)));
}

}  // namespace
}  // namespace mesh::expert
