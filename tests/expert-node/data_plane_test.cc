// SPDX-License-Identifier: Apache-2.0
#include "expert-node/data_plane.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/support/moe_frames.h"
#include "tests/support/moe_mesh.h"
#include "tests/support/status_matchers.h"

namespace mesh::expert {
namespace {

// A data plane on its own thread, spoken to in frames.
class DataPlaneTest : public ::testing::Test, protected router::FrameHandler {
 protected:
  DataPlaneTest() {
    const WeightMatrix in = TestMatrix(2, 3, 1);
    const WeightMatrix out = TestMatrix(3, 2, 2);
    for (const uint16_t e : std::vector<uint16_t>{0, 2, 3, 7}) {
      EXPECT_OK(shard_.Load(
          LayerId{3}, ExpertId{e},
          *ExpertWeights::Pack(kernels_, in.View(), in.View(), out.View())));
    }
    plane_ = *DataPlane::Create({.wire = SmallWire()}, shard_,
                                *network_.CreateEndpoint("expert"), clock_);
    client_ = *network_.CreateEndpoint("attention");
    peer_ = *client_->Connect("expert");
  }

  void Send() {
    const auto bytes = SmallDispatch();
    router::Frame frame = *client_->Allocate(bytes.size());
    std::memcpy(frame->Bytes().data(), bytes.data(), bytes.size());
    EXPECT_OK(client_->Send(peer_, std::move(frame)));
  }
  // False if `count` answers do not come.
  bool WaitForAnswers(size_t count) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (answers_.size() < count && absl::Now() < deadline) {
      if (client_->Poll(*this) == 0) client_->Wait(absl::Milliseconds(100));
    }
    return answers_.size() >= count;
  }
  void OnFrame(PeerId /*from*/, router::Frame frame) override {
    answers_.push_back(std::move(frame));
  }
  void OnPeerLost(PeerId /*peer*/, const absl::Status& /*reason*/) override {
    lost_ = true;
  }

  const kernels::Kernels kernels_ = *kernels::Kernels::Select("scalar");
  const RealClock clock_;
  ThreadPool pool_{1};
  ExpertShard shard_{kernels_, pool_, 3};
  router::InProcessNetwork network_;
  std::unique_ptr<DataPlane> plane_;
  std::unique_ptr<router::Transport> client_;
  PeerId peer_;
  std::vector<router::Frame> answers_;
  bool lost_ = false;
};

TEST_F(DataPlaneTest, AnswersWithoutBeingPolled) {
  plane_->Start();
  Send();
  ASSERT_TRUE(WaitForAnswers(1));
  EXPECT_OK(router::DecodeCombine(answers_[0]->Bytes(), SmallWire()));
  Send();
  ASSERT_TRUE(WaitForAnswers(2));
  plane_->Stop();
  EXPECT_EQ(plane_->Counters().frames_answered, 2);
  EXPECT_EQ(plane_->Counters().rows_computed, 8);
  EXPECT_EQ(plane_->Stats().frames_received, 2U);
}

TEST_F(DataPlaneTest, StopAnswersWhatHasArrived) {
  Send();
  plane_->Start();
  plane_->Stop();
  EXPECT_TRUE(WaitForAnswers(1));
}

TEST_F(DataPlaneTest, ClosesItsLinksInTheEnd) {
  plane_->Start();
  plane_ = nullptr;
  client_->Poll(*this);
  EXPECT_TRUE(lost_);
}

}  // namespace
}  // namespace mesh::expert
