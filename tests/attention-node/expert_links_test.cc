// SPDX-License-Identifier: Apache-2.0
#include "attention-node/expert_links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/attention-node/expert_links_harness.h"

namespace mesh::attention {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ExpertLinksTest : public ::testing::Test {
 protected:
  using Harness = ExpertLinksHarness;

  const MoeModel model_{"scalar"};
  const MoeBatch batch_{model_, 5, 4, 3};
  const std::vector<float> expected_ = CanonicalOutput(model_, batch_, 4);
};

TEST_F(ExpertLinksTest, TakesLinksAndTablesBetweenSteps) {
  Harness harness(model_, 2);
  harness.links->Connect(Harness::IdOf(0), Harness::AddressOf(0));
  harness.links->Connect(Harness::IdOf(1), Harness::AddressOf(1));
  harness.links->SetPlacement(harness.TableOf({0, 1}, 7));
  EXPECT_EQ(harness.transport.num_wakes, 3);
  EXPECT_THAT(harness.listener.connected, IsEmpty());
  harness.links->BeforeStep();
  EXPECT_THAT(harness.listener.connected, ElementsAre(100, 101));
  EXPECT_THAT(harness.listener.adopted, ElementsAre(7));
  EXPECT_EQ(*harness.Run(batch_), expected_);
  harness.links->AfterStep(false);
  EXPECT_THAT(harness.listener.adopted, ElementsAre(7));
  EXPECT_EQ(harness.links->GetSnapshot().epoch, 7U);
}

TEST_F(ExpertLinksTest, LooksAfterItsLinksWhileTheEngineIsIdle) {
  Harness harness(model_, 1);
  harness.links->Connect(Harness::IdOf(0), Harness::AddressOf(0));
  harness.links->SetPlacement(harness.TableOf({0}, 7));
  harness.links->Idle();
  EXPECT_THAT(harness.listener.adopted, ElementsAre(7));
  EXPECT_EQ(harness.links->GetSnapshot().epoch, 7U);
  harness.Kill(0);
  harness.links->Idle();
  EXPECT_THAT(harness.listener.lost, ElementsAre(100));
}

TEST_F(ExpertLinksTest, ATableThatComesInAStepHelpsItAndIsAdoptedAfterIt) {
  Harness harness(model_, 2);
  harness.links->Connect(Harness::IdOf(0), Harness::AddressOf(0));
  harness.links->SetPlacement(harness.TableOf({0}, 1));
  harness.links->BeforeStep();
  harness.Kill(0);
  harness.on_poll = [&, calls = 0]() mutable {
    if (++calls != 100) return;
    harness.links->Connect(Harness::IdOf(1), Harness::AddressOf(1));
    harness.links->SetPlacement(harness.TableOf({1}, 2));
  };
  EXPECT_EQ(*harness.Run(batch_), expected_);
  EXPECT_THAT(harness.listener.lost, ElementsAre(100));
  EXPECT_THAT(harness.listener.adopted, ElementsAre(1));
  harness.links->AfterStep(true);
  EXPECT_THAT(harness.listener.adopted, ElementsAre(1, 2));
}

TEST_F(ExpertLinksTest, SaysThatAnAddressDoesNotAnswer) {
  Harness harness(model_, 1);
  harness.links->Connect(Harness::IdOf(3), "nobody");
  harness.links->BeforeStep();
  EXPECT_THAT(harness.listener.lost, ElementsAre(103));
  EXPECT_THAT(harness.listener.connected, IsEmpty());
}

TEST_F(ExpertLinksTest, NoticesALossBetweenSteps) {
  Harness harness(model_, 1);
  harness.links->Connect(Harness::IdOf(0), Harness::AddressOf(0));
  harness.links->SetPlacement(harness.TableOf({0}, 1));
  harness.links->BeforeStep();
  harness.Kill(0);
  harness.links->BeforeStep();
  EXPECT_THAT(harness.listener.lost, ElementsAre(100));
}

TEST_F(ExpertLinksTest, AbortFailsAStepThatWaits) {
  Harness harness(model_, 1);
  harness.links->SetPlacement(harness.TableOf({0}, 1));
  harness.links->BeforeStep();
  harness.on_poll = [&, calls = 0]() mutable {
    if (++calls != 10) return;
    harness.links->Abort(absl::UnavailableError("the node is stopping"));
  };
  EXPECT_THAT(harness.Run(batch_).status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("the node is stopping")));
}

TEST_F(ExpertLinksTest, CountsTokensTwiceASecondAndWhenItGoesIdle) {
  Harness harness(model_, 1);
  harness.links->Connect(Harness::IdOf(0), Harness::AddressOf(0));
  harness.links->SetPlacement(harness.TableOf({0}, 1));
  harness.links->BeforeStep();
  const auto total = [&] {
    int64_t sum = 0;
    for (const int64_t tokens :
         harness.links->GetSnapshot().tokens_per_expert) {
      sum += tokens;
    }
    return sum;
  };
  ASSERT_OK(harness.Run(batch_));
  harness.links->AfterStep(true);
  EXPECT_EQ(total(), 20);
  ASSERT_OK(harness.Run(batch_));
  harness.links->AfterStep(true);
  EXPECT_EQ(total(), 20);
  EXPECT_EQ(harness.links->GetSnapshot().counters.frames_sent, 2);
  harness.clock.Advance(absl::Milliseconds(500));
  harness.links->AfterStep(true);
  EXPECT_EQ(total(), 40);
  ASSERT_OK(harness.Run(batch_));
  harness.links->AfterStep(false);
  EXPECT_EQ(total(), 60);
}

TEST_F(ExpertLinksTest, MeasuresTheLinksOfTheTable) {
  Harness harness(model_, 2);
  harness.links->Connect(Harness::IdOf(0), Harness::AddressOf(0));
  harness.links->SetPlacement(harness.TableOf({0, 1}, 1));
  std::vector<LinkProbe> probes;
  harness.links->Probe(1 << 16, [&](auto found) { probes = std::move(found); });
  harness.links->BeforeStep();
  ASSERT_THAT(probes, SizeIs(2));
  EXPECT_EQ(probes[0].node, Harness::IdOf(0));
  EXPECT_EQ(probes[0].error, "");
  // A wait is a millisecond of virtual time.
  EXPECT_NEAR(probes[0].round_trip_us_median, 1000, 1);
  EXPECT_NEAR(probes[0].bytes_per_second, 2 * (1 << 16) * 1000.0, 1e6);
  EXPECT_EQ(probes[1].error, "there is no link");
}

TEST_F(ExpertLinksTest, AnswersProbesOnceTheEngineHasStopped) {
  Harness harness(model_, 1);
  int num_answers = 0;
  const auto done = [&](std::vector<LinkProbe> probes) {
    EXPECT_THAT(probes, IsEmpty());
    ++num_answers;
  };
  harness.links->Probe(1024, done);
  EXPECT_EQ(num_answers, 0);
  harness.links->Stop();
  EXPECT_EQ(num_answers, 1);
  harness.links->Probe(1024, done);
  EXPECT_EQ(num_answers, 2);
}

}  // namespace
}  // namespace mesh::attention
