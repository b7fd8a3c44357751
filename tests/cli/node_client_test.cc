// SPDX-License-Identifier: Apache-2.0
#include "cli/node_client.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "mesh/attention/v1/attention_service.grpc.pb.h"
#include "mesh/expert/v1/expert_service.grpc.pb.h"
#include "tests/cli/test_server.h"

namespace mesh::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class FakeExpertNode final : public expert::v1::ExpertService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetStats(
      grpc::CallbackServerContext* context,
      const expert::v1::GetStatsRequest* request,
      expert::v1::GetStatsResponse* response) override {
    response->set_frames_corrupt(3);
    if (request->with_holdings()) {
      common::v1::Holding* holding = response->add_holdings();
      holding->mutable_key()->set_layer(1);
      holding->mutable_key()->set_expert(4);
      holding->set_digest("digest");
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

class FakeAttentionNode final
    : public attention::v1::AttentionService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ProbeExpertNodes(
      grpc::CallbackServerContext* context,
      const attention::v1::ProbeExpertNodesRequest*,
      attention::v1::ProbeExpertNodesResponse* response) override {
    attention::v1::LinkProbe* probe = response->add_probes();
    probe->set_node_name("expert-0");
    probe->set_lane("tcp/lo");
    probe->set_round_trip_us_median(30);
    probe->set_bytes_per_second(2e9);
    response->add_probes()->set_error("no link");
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

TEST(AskExpertNode, HoldingsWithTheirDigests) {
  FakeExpertNode fake;
  TestServer server({&fake});
  const ExpertNodeReply reply = AskExpertNode(server.Target());
  ASSERT_TRUE(reply.outcome.ok()) << reply.outcome;
  EXPECT_THAT(reply.digests, ElementsAre(Pair(ExpertName{1, 4}, "digest")));
  EXPECT_EQ(reply.frames_corrupt, 3u);
}

TEST(AskExpertNode, ANodeThatIsSomethingElse) {
  FakeAttentionNode fake;
  TestServer server({&fake});
  EXPECT_EQ(AskExpertNode(server.Target()).outcome.code(),
            absl::StatusCode::kUnimplemented);
}

TEST(AskAttentionNode, ProbesOfAllLinks) {
  FakeAttentionNode fake;
  TestServer server({&fake});
  const AttentionNodeReply reply = AskAttentionNode(server.Target());
  ASSERT_TRUE(reply.outcome.ok()) << reply.outcome;
  ASSERT_EQ(reply.probes.size(), 2u);
  EXPECT_EQ(reply.probes[0].to, "expert-0");
  EXPECT_EQ(reply.probes[0].median_us, 30);
  EXPECT_EQ(reply.probes[0].bytes_per_second, 2e9);
  EXPECT_EQ(reply.probes[1].error, "no link");
}

TEST(AskAttentionNode, ANodeThatIsGone) {
  MeshTarget nobody;
  {
    FakeAttentionNode fake;
    TestServer server({&fake});
    nobody = server.Target();
  }
  EXPECT_EQ(AskAttentionNode(nobody).outcome.code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace mesh::cli
