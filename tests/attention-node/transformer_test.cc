// SPDX-License-Identifier: Apache-2.0
#include "attention-node/transformer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/attention-node/forward_harness.h"
#include "tests/attention-node/random_model.h"
#include "tests/reference/transformer_reference.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tolerance.h"

namespace mesh::attention {
namespace {

using ::testing::HasSubstr;

struct Shape {
  const char* name;
  const char* fields;
};

// Names of ctest cases; also what a failure prints.
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

const Shape kShapes[] = {
    {"V3", "{}"},
    {"V3Fp8Ragged", R"({"hidden_size": 160, "moe_intermediate_size": 40,
      "intermediate_size": 144, "q_lora_rank": 136, "kv_lora_rank": 144,
      "n_routed_experts": 16, "num_experts_per_tok": 4, "n_group": 4,
      "topk_group": 2, "quantization_config": {"quant_method": "fp8",
      "fmt": "e4m3", "weight_block_size": [128, 128]}})"},
    {"V3Yarn", R"({"rope_scaling": {"type": "yarn", "factor": 40,
      "original_max_position_embeddings": 24, "beta_fast": 32,
      "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0}})"},
    {"V2", R"({"model_type": "deepseek_v2", "n_routed_experts": 40,
      "n_shared_experts": 2, "num_experts_per_tok": 6, "topk_group": 3,
      "topk_method": "group_limited_greedy", "scoring_func": "softmax",
      "norm_topk_prob": false, "routed_scaling_factor": 16.0})"},
    {"V2Lite", R"({"model_type": "deepseek_v2", "n_routed_experts": 24,
      "n_shared_experts": 2, "num_experts_per_tok": 6, "n_group": 1,
      "topk_group": 1, "topk_method": "greedy", "scoring_func": "softmax",
      "norm_topk_prob": false, "routed_scaling_factor": 1.0,
      "q_lora_rank": null, "rope_scaling": {"type": "yarn", "factor": 40,
      "original_max_position_embeddings": 16, "beta_fast": 32,
      "beta_slow": 1, "mscale": 0.707, "mscale_all_dim": 0.707}})"},
    {"Kimi", R"({"model_type": "kimi_k2", "n_routed_experts": 384,
      "moe_intermediate_size": 12, "n_group": 1, "topk_group": 1,
      "routed_scaling_factor": 2.827})"},
    {"NoSharedExpert", R"({"n_shared_experts": 0})"},
    {"TiedAndOdd", R"({"tie_word_embeddings": true, "hidden_size": 51,
      "moe_intermediate_size": 13, "intermediate_size": 37,
      "q_lora_rank": 29, "kv_lora_rank": 31, "qk_nope_head_dim": 7,
      "qk_rope_head_dim": 6, "v_head_dim": 5, "num_attention_heads": 11,
      "moe_layer_freq": 2, "first_k_dense_replace": 0})"},
};

std::vector<TokenId> RandomIds(size_t count, int vocab_size, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TokenId> ids(count);
  for (TokenId& id : ids) {
    id = static_cast<TokenId>(random() % static_cast<uint32_t>(vocab_size));
  }
  return ids;
}

template <typename T>
double MaxDifference(const std::vector<float>& a, const std::vector<T>& b) {
  MESH_CHECK(a.size() == b.size());
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(double{a[i]} - double{b[i]}));
  }
  return worst;
}

double MaxMagnitude(const std::vector<double>& x) {
  double max = 0;
  for (const double value : x) max = std::max(max, std::abs(value));
  return max;
}

// Rounding errors of float32, against exact arithmetic: each of some ten
// products a layer adds about sqrt(inputs) units, layers add up, and depth and
// the experts' weights magnify what came before (docs/numerics.md).
double LogitTolerance(const model::DeepseekConfig& config, double magnitude) {
  const int inputs = std::max(config.hidden_size, config.intermediate_size);
  return kF32Unit * 10 * config.num_hidden_layers *
         std::sqrt(static_cast<double>(inputs)) * 4 * (1 + magnitude);
}

class TransformerShape : public ::testing::TestWithParam<Shape> {
 protected:
  void SetUp() override { WriteRandomModel(dir_.Path(), GetParam().fields, 5); }
  const TempDir dir_;
};

TEST_P(TransformerShape, EqualsTheModelInDouble) {
  ForwardHarness harness(dir_.Path(), "reference");
  const model::DeepseekConfig& config = harness.Config();
  const std::vector<TokenId> ids = RandomIds(40, config.vocab_size, 3);
  const std::vector<ComputedToken> got = harness.Run(ids, 40);
  TransformerReference reference(harness.Plain());
  double worst = 0;
  double bound = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const TransformerReference::Token want = reference.Next(ids[i]);
    size_t moe_layer = 0;
    for (const std::vector<int>& experts : want.experts) {
      if (experts.empty()) continue;
      ASSERT_EQ(got[i].experts[moe_layer++], experts) << "token " << i;
    }
    ASSERT_EQ(moe_layer, got[i].experts.size());
    bound = LogitTolerance(config, MaxMagnitude(want.logits));
    const double difference = MaxDifference(got[i].logits, want.logits);
    ASSERT_LE(difference, bound) << "token " << i;
    worst = std::max(worst, difference);
  }
  std::printf("%s: logits differ by at most %.2e, bound %.2e\n",
              GetParam().name, worst, bound);
}

TEST_P(TransformerShape, ChunksAndBatchesGiveTheSameBits) {
  ForwardHarness harness(dir_.Path(), "scalar");
  const int vocab_size = harness.Config().vocab_size;
  const std::vector<TokenId> ids = RandomIds(21, vocab_size, 4);
  const std::vector<ComputedToken> whole = harness.Run(ids, 21);
  EXPECT_EQ(harness.Run(ids, 1), whole);
  EXPECT_EQ(harness.Run(ids, 8), whole);

  // Beside three others: prefill of one while another decodes.
  std::vector<TestSequence> sequences;
  sequences.push_back(harness.NewSequence(ids));
  for (uint32_t i = 0; i < 3; ++i) {
    sequences.push_back(harness.NewSequence(RandomIds(30, vocab_size, 10 + i)));
  }
  const int counts[3][4] = {{1, 7, 13, 2}, {13, 1, 1, 20}, {7, 9, 1, 1}};
  for (const auto& step : counts) {
    std::vector<ForwardHarness::Chunk> chunks;
    for (size_t i = 0; i < 4; ++i) chunks.emplace_back(&sequences[i], step[i]);
    ASSERT_OK(harness.Step(chunks));
  }
  EXPECT_EQ(sequences[0].computed, whole);
}

TEST_P(TransformerShape, InstructionSetsAndThreadsGiveTheSameBits) {
  ForwardHarness scalar(dir_.Path(), "scalar");
  const std::vector<TokenId> ids = RandomIds(19, scalar.Config().vocab_size, 6);
  const std::vector<ComputedToken> want = scalar.Run(ids, 19);
  int num_compared = 0;
  for (const char* name : {"scalar", "avx2", "avx512"}) {
    if (!kernels::Kernels::Select(name).ok()) continue;
    for (const int num_threads : {1, 2, 5}) {
      ForwardHarness harness(dir_.Path(), name, num_threads);
      EXPECT_EQ(harness.Run(ids, 19), want) << name << " " << num_threads;
      ++num_compared;
    }
  }
  std::printf("%s: %d combinations equal\n", GetParam().name, num_compared);
}

INSTANTIATE_TEST_SUITE_P(Shapes, TransformerShape, ::testing::ValuesIn(kShapes),
                         [](const auto& shape) {
                           return std::string(shape.param.name);
                         });

class SmallTransformer : public ::testing::Test {
 protected:
  void SetUp() override { WriteRandomModel(dir_.Path(), "{}", 8); }
  const TempDir dir_;
};

TEST_F(SmallTransformer, SixtyFourSequencesEqualEachAlone) {
  ForwardHarness harness(dir_.Path(), "scalar", 2);
  const int vocab_size = harness.Config().vocab_size;
  std::mt19937 random(9);
  std::vector<TestSequence> sequences;
  for (uint32_t i = 0; i < 64; ++i) {
    sequences.push_back(
        harness.NewSequence(RandomIds(4 + random() % 12, vocab_size, 100 + i)));
  }
  // Each step takes one token or several of whoever has some left.
  int num_mixed_steps = 0;
  while (true) {
    std::vector<ForwardHarness::Chunk> chunks;
    bool decodes = false;
    bool prefills = false;
    for (TestSequence& sequence : sequences) {
      const size_t left = sequence.ids.size() - sequence.computed.size();
      if (left == 0) continue;
      const size_t count = std::min<size_t>(left, 1 + random() % 5);
      chunks.emplace_back(&sequence, static_cast<int>(count));
      (count == 1 ? decodes : prefills) = true;
    }
    if (chunks.empty()) break;
    num_mixed_steps += decodes && prefills ? 1 : 0;
    ASSERT_OK(harness.Step(chunks));
  }
  EXPECT_GE(num_mixed_steps, 2);
  ForwardHarness alone(dir_.Path(), "scalar");
  for (const TestSequence& sequence : sequences) {
    ASSERT_EQ(alone.Run(sequence.ids, 16), sequence.computed);
  }
}

TEST_F(SmallTransformer, RowsBeyondOneSlabGiveTheSameBits) {
  ForwardHarness harness(dir_.Path(), "scalar");
  const std::vector<TokenId> ids =
      RandomIds(300, harness.Config().vocab_size, 11);
  EXPECT_EQ(harness.Run(ids, 300), harness.Run(ids, 50));
}

TEST_F(SmallTransformer, EachRowIsRoutedByItsOwnTable) {
  ForwardHarness harness(dir_.Path(), "scalar");
  const std::vector<TokenId> ids =
      RandomIds(12, harness.Config().vocab_size, 12);
  const std::vector<ComputedToken> plain = harness.Run(ids, 12);

  // A bias that no score can outweigh, for eight experts of four groups.
  RoutingTable pushed = harness.Weights().CheckpointRouting();
  pushed.version = 1;
  const std::vector<int> favored = {0, 1, 8, 9, 40, 41, 63, 62};
  for (std::vector<float>& bias : pushed.bias) {
    if (bias.empty()) continue;
    for (const int expert : favored) bias[static_cast<size_t>(expert)] = 100;
  }
  TestSequence first = harness.NewSequence(ids);
  TestSequence second = harness.NewSequence(ids);
  second.routing = &pushed;
  const ForwardHarness::Chunk chunks[] = {{&first, 12}, {&second, 12}};
  ASSERT_OK(harness.Step(chunks));
  EXPECT_EQ(first.computed, plain);
  for (const ComputedToken& token : second.computed) {
    for (const std::vector<int>& experts : token.experts) {
      EXPECT_THAT(experts, ::testing::UnorderedElementsAreArray(favored));
    }
  }
}

TEST_F(SmallTransformer, WorkIsKnownByRequestChoiceAndPosition) {
  ForwardHarness harness(dir_.Path(), "scalar");
  TestSequence sequence = harness.NewSequence({5, 6, 7});
  sequence.request = RequestId{77};
  sequence.choice = 3;
  for (const int count : {2, 1}) {
    const ForwardHarness::Chunk chunk(&sequence, count);
    ASSERT_OK(harness.Step({&chunk, 1}));
  }
  const std::vector<router::WorkId> want = {{RequestId{77}, 3, 2}};
  EXPECT_EQ(harness.Dispatch().LastWork(), want);
}

TEST_F(SmallTransformer, LogitsOfTheWantedRowsOnly) {
  ForwardHarness harness(dir_.Path(), "scalar");
  const int vocab_size = harness.Config().vocab_size;
  const std::vector<TokenId> ids = RandomIds(6, vocab_size, 13);
  const std::vector<ComputedToken> all = harness.Run(ids, 6);
  TestSequence sequence = harness.NewSequence(ids);
  for (const int num_logits : {0, 2}) {
    StepBatch batch;
    batch.sequences.push_back({.request = sequence.request,
                               .num_rows = 6,
                               .token_ids = sequence.ids,
                               .block_table = sequence.blocks,
                               .num_logits = num_logits});
    batch.num_rows = 6;
    batch.num_logits = num_logits;
    std::vector<float> logits(static_cast<size_t>(num_logits * vocab_size));
    ASSERT_OK(harness.Forward().Forward(
        batch, {logits.data(), num_logits, vocab_size}));
    std::vector<float> want;
    for (size_t i = 6 - static_cast<size_t>(num_logits); i < 6; ++i) {
      want.insert(want.end(), all[i].logits.begin(), all[i].logits.end());
    }
    EXPECT_EQ(logits, want);
  }
}

TEST_F(SmallTransformer, ErrorsOfTheDispatchEndTheStep) {
  ForwardHarness harness(dir_.Path(), "scalar");
  TestSequence sequence = harness.NewSequence({1, 2});
  harness.Dispatch().FailWith(absl::UnavailableError("no expert node"));
  const ForwardHarness::Chunk chunk(&sequence, 2);
  EXPECT_THAT(harness.Step({&chunk, 1}),
              StatusIs(absl::StatusCode::kUnavailable));
  harness.Dispatch().FailWith(absl::OkStatus());
  EXPECT_OK(harness.Step({&chunk, 1}));
  EXPECT_EQ(sequence.computed, harness.Run({1, 2}, 2));
}

TEST_F(SmallTransformer, RefusesTokensAndPositionsItDoesNotHave) {
  ForwardHarness harness(dir_.Path(), "scalar");
  for (const TokenId token : {-1, 160}) {
    TestSequence sequence = harness.NewSequence({token});
    const ForwardHarness::Chunk chunk(&sequence, 1);
    EXPECT_THAT(harness.Step({&chunk, 1}),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("expected 0 to 159")));
  }
  TestSequence sequence = harness.NewSequence(RandomIds(513, 160, 1));
  sequence.computed.resize(512);
  const ForwardHarness::Chunk chunk(&sequence, 1);
  EXPECT_THAT(
      harness.Step({&chunk, 1}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("position 512")));
}

TEST_F(SmallTransformer, RefusesACacheOfAnotherShape) {
  ForwardHarness harness(dir_.Path(), "scalar");
  ThreadPool pool(1);
  LatentKvCache::Options options =
      Transformer::CacheOptions(harness.Config(), harness.Kernels());
  options.num_blocks = 1;
  options.dtype = DType::kF32;
  const auto cache = LatentKvCache::Create(options);
  ASSERT_OK(cache);
  const auto weights =
      LoadAttentionWeights(harness.Checkpoint(), harness.Kernels(), pool);
  ASSERT_OK(weights);
  const RealClock clock;
  EXPECT_THAT(Transformer::Create(
                  {.weights = *weights,
                   .compute = {.kernels = harness.Kernels(), .pool = &pool},
                   .cache = **cache,
                   .dispatch = harness.Dispatch(),
                   .clock = clock}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("BF16")));
}

}  // namespace
}  // namespace mesh::attention
