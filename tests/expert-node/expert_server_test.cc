// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "absl/strings/match.h"
#include "expert-node/expert_loader.h"
#include "service/handshake_proto.h"
#include "tests/expert-node/expert_peer.h"
#include "tests/expert-node/fake_router.h"
#include "tests/expert-node/wait_for.h"
#include "tests/support/http_get.h"
#include "tests/support/status_matchers.h"

namespace mesh::expert {
namespace {

using ::testing::HasSubstr;

const char kModel[] = MESH_SOURCE_DIR "/models/tiny-r1";

// A node under a router that the test plays.
class ExpertServerTest : public ::testing::Test {
 protected:
  ExpertServer::Options Options() {
    ExpertServer::Options options;
    options.name = "expert-0";
    options.router_address = router_.Address();
    options.model_dir = kModel;
    options.kernels = "scalar";
    options.num_threads = 1;
    options.listen.metrics_listen = "127.0.0.1:0";
    options.data_plane.transport = "in-process";
    options.data_plane.network = &network_;
    options.on_failure = [this](const absl::Status& status) {
      MutexLock lock(mutex_);
      failure_ = status;
    };
    return options;
  }
  void Start(const ExpertServer::Options& options) {
    auto server = ExpertServer::Start(options, *logger_);
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  // Plays the router's part of a join.
  router::v1::JoinHello Join() {
    const auto request = router_.Next();
    EXPECT_TRUE(request.has_value() && request->has_hello());
    router_.Welcome();
    return request.has_value() ? request->hello() : router::v1::JoinHello();
  }
  router::v1::HoldingsReport NextReport() {
    const auto request = router_.Next();
    EXPECT_TRUE(request.has_value() && request->has_holdings());
    return request.has_value() ? request->holdings()
                               : router::v1::HoldingsReport();
  }
  absl::Status Failure() {
    MutexLock lock(mutex_);
    return failure_;
  }

  router::InProcessNetwork network_;
  FakeRouter router_;
  const std::unique_ptr<service::Logger> logger_ =
      *service::Logger::Create("error", "expert-node", "expert-0");
  Mutex mutex_;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<ExpertServer> server_;
};

TEST_F(ExpertServerTest, JoinsAndFollowsOrders) {
  Start(Options());
  const router::v1::JoinHello hello = Join();
  EXPECT_EQ(hello.node().name(), "expert-0");
  EXPECT_EQ(hello.node().grpc_address(), server_->Address());
  EXPECT_EQ(hello.node().metrics_address(), server_->MetricsAddress());
  EXPECT_NE(hello.node().incarnation(), 0U);
  EXPECT_EQ(hello.capacity_experts(), 1024U);
  EXPECT_EQ(hello.holdings_size(), 0);
  EXPECT_EQ(hello.model().moe_layers_size(), 4);
  EXPECT_EQ(hello.model().num_experts(), 256U);
  EXPECT_EQ(hello.handshake().model_digest().size(), 16U);
  EXPECT_EQ(hello.handshake().numerics_class(), "bf16-1");
  EXPECT_FALSE(server_->Ready());
  EXPECT_EQ(router_.Status().activity(),
            "waiting for the router's first order");

  router_.SendOrder(5, router::v1::HOSTING_PHASE_LOAD, 1, {3, 4});
  const router::v1::HoldingsReport loaded = NextReport();
  EXPECT_EQ(loaded.order_epoch(), 5U);
  EXPECT_EQ(loaded.phase(), router::v1::HOSTING_PHASE_LOAD);
  EXPECT_EQ(loaded.error(), "");
  ASSERT_EQ(loaded.holdings_size(), 2);
  EXPECT_EQ(loaded.holdings(1).key().expert(), 4U);
  const auto checkpoint = *model::Checkpoint::Open(kModel);
  const auto weights =
      *ReadExpert(*checkpoint, *kernels::Kernels::Select("scalar"),
                  {LayerId{1}, ExpertId{4}});
  EXPECT_EQ(loaded.holdings(1).digest(),
            service::DigestBytes(weights->SourceDigest()));
  EXPECT_TRUE(server_->Ready());

  router_.SendOrder(5, router::v1::HOSTING_PHASE_RETIRE, 1, {4});
  EXPECT_EQ(NextReport().holdings_size(), 1);
  EXPECT_TRUE(WaitFor([&] {
    const auto status = router_.Status();
    return status.ready() && status.expert().experts_held() == 1;
  }));
}

TEST_F(ExpertServerTest, AnswersOrdersThatItCannotFollow) {
  Start(Options());
  Join();
  router_.SendOrder(5, router::v1::HOSTING_PHASE_LOAD, 1, {256});
  EXPECT_THAT(NextReport().error(), HasSubstr("expert 256 of layer 1"));
  router_.SendOrder(5, router::v1::HOSTING_PHASE_UNSPECIFIED, 1, {1});
  EXPECT_THAT(NextReport().error(), HasSubstr("phase"));
  router_.SendOrder(4, router::v1::HOSTING_PHASE_LOAD, 1, {1});
  const router::v1::HoldingsReport stale = NextReport();
  EXPECT_EQ(stale.order_epoch(), 4U);
  EXPECT_THAT(stale.error(), HasSubstr("epoch 5"));
  EXPECT_FALSE(server_->Ready());
  EXPECT_OK(Failure());
}

TEST_F(ExpertServerTest, AnswersRowsUntilItIsReleased) {
  Start(Options());
  Join();
  router_.SendOrder(5, router::v1::HOSTING_PHASE_LOAD, 1, {3});
  NextReport();
  router::DataPlaneOptions data_plane;
  data_plane.transport = "in-process";
  data_plane.network = &network_;
  data_plane.name = "attention-0";
  ExpertPeer peer(kModel, "scalar", data_plane);
  ASSERT_OK(peer.Link(server_->Address()));
  std::thread drain([&] { server_->Drain(absl::Seconds(60)); });
  const auto leaving = router_.Next();
  EXPECT_TRUE(leaving.has_value() && leaving->has_leaving());
  EXPECT_TRUE(peer.RowIsRight({LayerId{1}, ExpertId{3}}));
  EXPECT_TRUE(WaitFor([&] { return router_.Status().draining(); }));
  router::v1::JoinResponse released;
  released.mutable_released();
  router_.Send(released);
  drain.join();
}

TEST_F(ExpertServerTest, ExportsWhatItHoldsAndHasDone) {
  Start(Options());
  Join();
  router_.SendOrder(5, router::v1::HOSTING_PHASE_LOAD, 1, {3});
  NextReport();
  router::DataPlaneOptions data_plane;
  data_plane.transport = "in-process";
  data_plane.network = &network_;
  data_plane.name = "attention-0";
  ExpertPeer peer(kModel, "scalar", data_plane);
  ASSERT_OK(peer.Link(server_->Address()));
  EXPECT_TRUE(peer.RowIsRight({LayerId{1}, ExpertId{3}}));
  EXPECT_FALSE(peer.RowIsRight({LayerId{1}, ExpertId{4}}));
  // Counts appear a moment after the answer.
  std::string page;
  EXPECT_TRUE(WaitFor([&] {
    page = HttpGet(server_->MetricsAddress(), "/metrics");
    return absl::StrContains(page, "{outcome=\"not_held\"} 1\n");
  }));
  for (const char* line :
       {"mesh_experts_held 1\n", "mesh_expert_rows_total 1\n",
        "mesh_expert_frames_total{outcome=\"answered\"} 1\n",
        "mesh_expert_frames_total{outcome=\"not_held\"} 1\n",
        "mesh_expert_batch_rows_count 1\n",
        "mesh_expert_compute_seconds_count 1\n",
        "mesh_hellos_rejected_total 0\n", "mesh_weights_load_seconds ",
        "mesh_expert_weights_bytes ",
        "mesh_dispatch_bytes_total{direction=\"received\","
        "transport=\"in-process\"} ",
        "mesh_data_plane_lane_info{lane=\"in-process\",transport="
        "\"in-process\"} 1\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

TEST_F(ExpertServerTest, StopsWaitingForReleaseAtTheLimit) {
  Start(Options());
  Join();
  router_.Status();  // the node has heard its welcome
  const absl::Time start = absl::Now();
  server_->Drain(absl::Milliseconds(200));
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(200));
}

TEST_F(ExpertServerTest, GoesUnreleasedIfNobodyIsLinked) {
  Start(Options());
  Join();
  router_.Status();
  const absl::Time start = absl::Now();
  server_->Drain(absl::Minutes(10));
  EXPECT_GE(absl::Now() - start, absl::Seconds(2));
}

TEST_F(ExpertServerTest, FailsIfTheRouterRefusesItForGood) {
  router_.RefuseWith({grpc::StatusCode::FAILED_PRECONDITION, "another model"});
  Start(Options());
  EXPECT_TRUE(WaitFor([&] { return !Failure().ok(); }));
  EXPECT_THAT(Failure(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ExpertServerTest, RefusesToStartInOneSentence) {
  using Change = std::function<void(ExpertServer::Options&)>;
  const struct {
    Change change;
    absl::StatusCode code;
    const char* message;
  } cases[] = {
      {[](auto& o) { o.model_dir = ""; }, absl::StatusCode::kInvalidArgument,
       "--model"},
      {[](auto& o) { o.model_dir = "/nowhere"; }, absl::StatusCode::kNotFound,
       "/nowhere"},
      {[](auto& o) { o.kernels = "abacus"; },
       absl::StatusCode::kInvalidArgument, "abacus"},
      {[](auto& o) { o.router_address = ""; },
       absl::StatusCode::kInvalidArgument, "--router"},
      {[](auto& o) { o.experts = "some"; }, absl::StatusCode::kInvalidArgument,
       "\"some\""},
      {[](auto& o) {
         o.experts = "all";
         o.memory_mib = 1;
       },
       absl::StatusCode::kResourceExhausted, "has 1024 experts"},
      {[](auto& o) { o.memory_mib = uint64_t{1} << 40; },
       absl::StatusCode::kResourceExhausted, "--memory asks for"},
      {[](auto& o) { o.data_plane.transport = "pigeon"; },
       absl::StatusCode::kInvalidArgument, "pigeon"},
      {[](auto& o) {
         o.listen.listen = "0.0.0.0:0";
         o.listen.advertise = "127.0.0.1:9";
       },
       absl::StatusCode::kInvalidArgument, "--insecure-lab"},
  };
  for (const auto& one : cases) {
    ExpertServer::Options options = Options();
    one.change(options);
    const auto server = ExpertServer::Start(options, *logger_);
    EXPECT_THAT(server, StatusIs(one.code)) << server.status();
    EXPECT_THAT(std::string(server.status().message()), HasSubstr(one.message));
  }
}

}  // namespace
}  // namespace mesh::expert
