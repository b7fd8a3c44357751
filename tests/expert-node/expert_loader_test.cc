// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_loader.h"

#include <gtest/gtest.h>

#include "model/weight_names.h"
#include "tests/support/status_matchers.h"

namespace mesh::expert {
namespace {

class ExpertLoader : public ::testing::Test {
 protected:
  ExpertLoader()
      : checkpoint_(*model::Checkpoint::Open(std::string(MESH_SOURCE_DIR) +
                                             "/models/tiny-r1")),
        first_moe_layer_(static_cast<uint16_t>(
            checkpoint_->Config().first_k_dense_replace)) {}

  router::ExpertKey Key(int expert) const {
    return {LayerId{first_moe_layer_}, ExpertId{static_cast<uint16_t>(expert)}};
  }
  uint64_t StoredBytes(int expert) const {
    uint64_t bytes = 0;
    for (const auto projection :
         {model::Projection::kGate, model::Projection::kUp,
          model::Projection::kDown}) {
      const std::string name =
          model::ExpertName(first_moe_layer_, expert, projection);
      const model::TensorInfo* tensor = checkpoint_->Find(name);
      EXPECT_NE(tensor, nullptr) << name;
      bytes += tensor->end - tensor->begin;
    }
    return bytes;
  }

  const std::unique_ptr<model::Checkpoint> checkpoint_;
  const uint16_t first_moe_layer_;
  const kernels::Kernels kernels_ = *kernels::Kernels::Select("scalar");
  ThreadPool pool_{2};
  ExpertShard shard_{kernels_, pool_, checkpoint_->Config().hidden_size};
};

TEST_F(ExpertLoader, ReadsTheBytesOfItsExpertsAndNothingElse) {
  const std::vector<router::ExpertKey> keys = {Key(0), Key(5), Key(17)};
  int last = 0;
  ASSERT_OK(LoadExperts(*checkpoint_, kernels_, keys, pool_, shard_,
                        [&](int done) { EXPECT_EQ(done, ++last); }));
  EXPECT_EQ(last, 3);
  EXPECT_EQ(shard_.NumExperts(), 3);
  EXPECT_EQ(checkpoint_->BytesRead(),
            StoredBytes(0) + StoredBytes(5) + StoredBytes(17));
  // What is resident is not read again.
  ASSERT_OK(LoadExperts(*checkpoint_, kernels_, keys, pool_, shard_));
  EXPECT_EQ(checkpoint_->BytesRead(),
            StoredBytes(0) + StoredBytes(5) + StoredBytes(17));
}

TEST_F(ExpertLoader, WeightsCarryTheDigestOfTheirTensors) {
  const std::vector<router::ExpertKey> keys = {Key(17), Key(3)};
  ASSERT_OK(LoadExperts(*checkpoint_, kernels_, keys, pool_, shard_));
  const auto holdings = shard_.Holdings();
  ASSERT_EQ(holdings.size(), 2U);
  EXPECT_EQ(holdings[0].key, Key(3));
  EXPECT_EQ(holdings[1].key, Key(17));
  DigestBuilder expected;
  for (const auto projection :
       {model::Projection::kGate, model::Projection::kUp,
        model::Projection::kDown}) {
    ASSERT_OK(checkpoint_->ReadPieces(
        model::ExpertName(first_moe_layer_, 3, projection),
        [&](std::span<const std::byte> piece) {
          expected.Update(piece);
          return absl::OkStatus();
        }));
  }
  EXPECT_EQ(holdings[0].digest, expected.Finish());
  EXPECT_NE(holdings[0].digest, holdings[1].digest);
  EXPECT_EQ(holdings[0].size_bytes + holdings[1].size_bytes,
            shard_.SizeBytes());
}

TEST_F(ExpertLoader, LoadsTheOthersAndReportsTheErrorOfAMissingExpert) {
  const std::vector<router::ExpertKey> keys = {
      Key(0), Key(checkpoint_->Config().n_routed_experts), Key(1)};
  EXPECT_THAT(LoadExperts(*checkpoint_, kernels_, keys, pool_, shard_),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(shard_.NumExperts(), 2);
}

}  // namespace
}  // namespace mesh::expert
