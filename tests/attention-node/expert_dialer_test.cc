// SPDX-License-Identifier: Apache-2.0
#include "attention-node/expert_dialer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "service/logger.h"
#include "tests/attention-node/expert_links_harness.h"

namespace mesh::attention {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A dialer whose calls the test answers, on a mesh of two nodes.
class ExpertDialerTest : public ::testing::Test {
 protected:
  using Harness = ExpertLinksHarness;

  ExpertDialerTest()
      : dialer_(
            {.layers = {LayerId{0}, LayerId{1}},
             .num_experts = MoeModel::kNumExperts,
             .dial =
                 [this](const ExpertPeer& peer, ExpertDialer::Dialled done) {
                   calls_[peer.node.value] = std::move(done);
                 },
             .adopted = [this](uint64_t epoch) { told_.push_back(epoch); },
             .wake = [this] { ++num_wakes_; }},
            harness_.clock, *logger_) {
    links_ = *ExpertLinks::Create({.wire = harness_.Wire(), .incarnation = 6},
                                  *endpoint_, harness_.clock, dialer_);
  }

  absl::Status Place(std::vector<int> hosts, uint64_t epoch) {
    std::vector<ExpertPeer> peers;
    for (const int n : hosts) {
      peers.push_back({.node = Harness::IdOf(n),
                       .incarnation = 1,
                       .name = Harness::AddressOf(n),
                       .address = "127.0.0.1:1"});
    }
    return dialer_.SetPlacement(harness_.TableOf(hosts, epoch), peers);
  }

  void Answer(int n) {
    calls_.extract(Harness::IdOf(n).value).mapped()(Harness::AddressOf(n));
  }
  void Refuse(int n) {
    calls_.extract(Harness::IdOf(n).value)
        .mapped()(absl::UnavailableError("not there"));
  }
  // What the two threads do, a few times.
  absl::Time Run() {
    for (int i = 0; i < 3; ++i) {
      dialer_.Run(*links_);
      links_->BeforeStep();
      links_->AfterStep(false);
    }
    return dialer_.Run(*links_);
  }
  std::vector<uint32_t> Dialling() const {
    std::vector<uint32_t> nodes;
    for (const auto& [node, done] : calls_) nodes.push_back(node);
    return nodes;
  }

  const MoeModel model_{"reference"};
  Harness harness_{model_, 2};
  const std::unique_ptr<service::Logger> logger_ =
      *service::Logger::Create("error", "attention-node", "test");
  const std::unique_ptr<router::Transport> endpoint_ =
      *harness_.network.CreateEndpoint("dialer");
  std::map<uint32_t, ExpertDialer::Dialled> calls_;
  std::vector<uint64_t> told_;
  int num_wakes_ = 0;
  ExpertDialer dialer_;
  std::unique_ptr<ExpertLinks> links_;
};

TEST_F(ExpertDialerTest, AdoptsATableOnceEveryExpertHasALink) {
  EXPECT_EQ(Run(), absl::InfiniteFuture());
  ASSERT_OK(Place({0, 1}, 5));
  EXPECT_GT(num_wakes_, 0);
  Run();
  EXPECT_THAT(Dialling(), ElementsAre(100, 101));
  EXPECT_THAT(told_, IsEmpty());
  Answer(0);
  Run();
  // The other node, a replica of every expert, is not waited for.
  EXPECT_THAT(told_, ElementsAre(5));
  EXPECT_TRUE(dialer_.Ready());
  EXPECT_EQ(links_->GetSnapshot().epoch, 5U);
  const auto peers = dialer_.Peers();
  EXPECT_TRUE(peers[0].connected);
  EXPECT_FALSE(peers[1].connected);
}

TEST_F(ExpertDialerTest, AdoptsATableWithoutADeadNodeAfterASecond) {
  ASSERT_OK(Place({0}, 5));
  Run();
  Refuse(0);
  Run();
  EXPECT_THAT(told_, IsEmpty());
  harness_.clock.Advance(absl::Seconds(1));
  Run();
  EXPECT_THAT(told_, ElementsAre(5));
  EXPECT_FALSE(dialer_.Ready());
  Answer(0);
  Run();
  EXPECT_TRUE(dialer_.Ready());
  EXPECT_THAT(told_, ElementsAre(5));
}

TEST_F(ExpertDialerTest, DialsALostNodeAgainUntilItLeavesTheTable) {
  ASSERT_OK(Place({0, 1}, 5));
  Run();
  Answer(0);
  Answer(1);
  Run();
  harness_.Kill(1);
  const absl::Time next = Run();
  EXPECT_THAT(Dialling(), IsEmpty());
  harness_.clock.Advance(next - harness_.clock.Now());
  Run();
  EXPECT_THAT(Dialling(), ElementsAre(101));
  Refuse(1);
  ASSERT_OK(Place({0}, 6));
  harness_.clock.Advance(absl::Minutes(1));
  Run();
  EXPECT_THAT(Dialling(), IsEmpty());
  EXPECT_THAT(told_, ElementsAre(5, 6));
}

TEST_F(ExpertDialerTest, TellsARouterThatAsksAgain) {
  ASSERT_OK(Place({0}, 5));
  Run();
  Answer(0);
  Run();
  ASSERT_OK(Place({0}, 5));
  Run();
  EXPECT_THAT(told_, ElementsAre(5, 5));
}

TEST_F(ExpertDialerTest, RefusesOldTablesAndThoseOfAnotherModel) {
  ASSERT_OK(Place({0}, 5));
  EXPECT_THAT(Place({0}, 4),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("placement 4 is older than placement 5")));
  const auto other = *router::EvenPlacement({.epoch = 9,
                                             .layers = {LayerId{0}},
                                             .num_experts = 16,
                                             .nodes = {NodeId{100}}});
  EXPECT_THAT(dialer_.SetPlacement(other, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("is not of this node's model")));
}

TEST_F(ExpertDialerTest, DropsTheAnswerOfANodeThatLeft) {
  ASSERT_OK(Place({0, 1}, 5));
  Run();
  Answer(0);
  ASSERT_OK(Place({0}, 6));
  Answer(1);
  Run();
  EXPECT_THAT(told_, ElementsAre(6));
  EXPECT_EQ(dialer_.Peers().size(), 1U);
}

}  // namespace
}  // namespace mesh::attention
