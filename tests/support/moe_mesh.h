// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/flush_denormals.h"
#include "core/philox.h"
#include "core/thread_pool.h"
#include "expert-node/expert_node.h"
#include "expert-node/expert_shard.h"
#include "expert-node/expert_weights.h"
#include "kernels/activations.h"
#include "kernels/kernels.h"
#include "router/dispatcher.h"
#include "router/placement/even_placement.h"
#include "router/transport/faulty_transport.h"
#include "router/transport/in_process_transport.h"
#include "tests/reference/moe_reference.h"
#include "tests/support/status_matchers.h"

namespace mesh {

// Numbers in [-1, 1) that depend on (seed, index) only.
inline float TestNumber(uint32_t seed, uint32_t index) {
  return 2 * UniformFloat(Philox4x32({index, 0, 0, 0}, {seed, 1})[0]) - 1;
}

inline WeightMatrix TestMatrix(int rows, int cols, uint32_t seed) {
  WeightMatrix matrix;
  matrix.rows = rows;
  matrix.cols = cols;
  const size_t count = static_cast<size_t>(rows) * static_cast<size_t>(cols);
  matrix.data = *AlignedBuffer::Allocate(4 * count);
  for (size_t i = 0; i < count; ++i) {
    matrix.data.As<float>()[i] = TestNumber(seed, static_cast<uint32_t>(i)) / 4;
  }
  return matrix;
}

// A small MoE model of two MoE layers.
struct MoeModel {
  struct Expert {
    WeightMatrix gate, up, down;
    std::shared_ptr<const expert::ExpertWeights> packed = nullptr;
  };

  explicit MoeModel(const char* kernels_name)
      : kernels(*kernels::Kernels::Select(kernels_name)) {
    for (int i = 0; i < kNumLayers * kNumExperts; ++i) {
      const uint32_t seed = static_cast<uint32_t>(3 * i);
      Expert one{.gate = TestMatrix(kWidth, kHiddenSize, seed),
                 .up = TestMatrix(kWidth, kHiddenSize, seed + 1),
                 .down = TestMatrix(kHiddenSize, kWidth, seed + 2)};
      one.packed = *expert::ExpertWeights::Pack(kernels, one.gate.View(),
                                                one.up.View(), one.down.View());
      experts.push_back(std::move(one));
    }
  }

  static constexpr int kNumLayers = 2;
  static constexpr int kNumExperts = 16;
  static constexpr int kHiddenSize = 45;  // odd: rows have padding
  static constexpr int kWidth = 24;

  const Expert& At(LayerId layer, ExpertId expert) const {
    return experts[layer.value * size_t{kNumExperts} + expert.value];
  }
  DType Wire() const { return kernels.ActivationDType(); }

  kernels::Kernels kernels;
  std::vector<Expert> experts;
};

// A gate's decision for some rows, drawn from a seed.
struct MoeBatch {
  MoeBatch(const MoeModel& model, int num_rows, int topk, uint32_t seed,
           LayerId moe_layer = LayerId{1})
      : layer(moe_layer), num_topk(topk) {
    hidden.resize(static_cast<size_t>(num_rows) * MoeModel::kHiddenSize);
    for (size_t i = 0; i < hidden.size(); ++i) {
      hidden[i] =
          RoundTo(model.Wire(), TestNumber(seed, static_cast<uint32_t>(i)));
    }
    rows = buffer.Assign({hidden.data(), num_rows, MoeModel::kHiddenSize},
                         model.Wire());
    for (int r = 0; r < num_rows; ++r) DrawRow(r, seed);
  }

  // `num_topk` distinct experts, ascending: selection sampling.
  void DrawRow(int row, uint32_t seed) {
    int wanted = num_topk;
    for (int e = 0; e < MoeModel::kNumExperts; ++e) {
      const uint32_t index =
          static_cast<uint32_t>(row * MoeModel::kNumExperts + e);
      const float u = (TestNumber(seed + 7777, index) + 1) / 2;
      if (u * static_cast<float>(MoeModel::kNumExperts - e) >=
          static_cast<float>(wanted)) {
        continue;
      }
      --wanted;
      experts.push_back(ExpertId{static_cast<uint16_t>(e)});
      weights.push_back(TestNumber(seed + 5555, index) + 1.25F);
    }
    work.push_back({RequestId{seed}, 0, static_cast<uint32_t>(row)});
  }

  router::RoutedBatch View() const {
    return {.layer = layer,
            .num_topk = num_topk,
            .hidden = rows,
            .topk_idx = experts,
            .topk_weights = weights,
            .work = work};
  }

  LayerId layer;
  int num_topk;
  std::vector<float> hidden;  // [num_rows, hidden_size], as rounded
  kernels::ActivationBuffer buffer;
  RowsView rows;
  std::vector<ExpertId> experts;
  std::vector<float> weights;
  std::vector<router::WorkId> work;
};

struct MoeMeshOptions {
  int num_nodes = 2;
  int num_replicas = 1;
  int num_groups = 4;
  size_t max_frame_bytes = size_t{1} << 20;
  int max_batch_items = 8192;
  int max_waiting_frames = 1024;
  router::FaultPlan faults = {};  // in both directions
  uint64_t seed = 1;
  absl::Duration deadline = absl::Seconds(5);
  absl::Duration orphan_wait = absl::ZeroDuration();
  std::function<void(NodeId, const absl::Status&)> node_lost = {};
};

// A dispatcher and expert nodes in one process and on virtual time: each idle
// call polls every node and moves the clock by a millisecond.
class MoeMesh {
 public:
  struct Node {
    std::unique_ptr<router::Transport> endpoint;
    std::unique_ptr<router::FaultyTransport> link;
    std::unique_ptr<expert::ExpertShard> shard;
    std::unique_ptr<expert::ExpertNode> node;
    PeerId peer;  // as the dispatcher knows it
    bool frozen = false;
  };

  MoeMesh(const MoeModel& model, const MoeMeshOptions& mesh_options)
      : options(mesh_options),
        placement(
            *router::EvenPlacement({.layers = {LayerId{0}, LayerId{1}},
                                    .num_experts = MoeModel::kNumExperts,
                                    .num_groups = options.num_groups,
                                    .nodes = NodeIds(options.num_nodes),
                                    .num_replicas = options.num_replicas})) {
    endpoint = *network.CreateEndpoint("attention");
    link = std::make_unique<router::FaultyTransport>(
        *endpoint, clock, options.faults, options.seed);
    dispatcher =
        *router::Dispatcher::Create({.wire = Wire(model),
                                     .incarnation = 17,
                                     .deadline = options.deadline,
                                     .orphan_wait = options.orphan_wait,
                                     .hedge_after = absl::Milliseconds(20),
                                     .probe_after = absl::Milliseconds(200),
                                     .idle = [this](absl::Duration) { Idle(); },
                                     .node_lost = options.node_lost},
                                    *link, clock);
    for (int n = 0; n < options.num_nodes; ++n) AddNode(model, n);
    EXPECT_OK(dispatcher->SetPlacement(placement));
  }

  router::WireLimits Wire(const MoeModel& model) const {
    return {.max_frame_bytes = options.max_frame_bytes,
            .dtype = model.Wire(),
            .hidden_size = MoeModel::kHiddenSize,
            .num_layers = MoeModel::kNumLayers,
            .num_experts = MoeModel::kNumExperts,
            .num_groups = options.num_groups};
  }

  static std::vector<NodeId> NodeIds(int count) {
    std::vector<NodeId> ids;
    for (int n = 0; n < count; ++n) {
      ids.push_back(NodeId{static_cast<uint32_t>(100 + n)});
    }
    return ids;
  }

  void AddNode(const MoeModel& model, int n) {
    Node& node = nodes.emplace_back();
    const std::string address = "expert-" + std::to_string(n);
    node.endpoint = *network.CreateEndpoint(address);
    node.link = std::make_unique<router::FaultyTransport>(
        *node.endpoint, clock, options.faults,
        options.seed + 1000 + static_cast<uint64_t>(n));
    node.shard = std::make_unique<expert::ExpertShard>(model.kernels, pool,
                                                       MoeModel::kHiddenSize);
    const NodeId id{static_cast<uint32_t>(100 + n)};
    for (const router::ExpertKey& key : placement->HostedBy(id)) {
      EXPECT_OK(node.shard->Load(key.layer, key.expert,
                                 model.At(key.layer, key.expert).packed));
    }
    node.node = *expert::ExpertNode::Create(
        {.wire = Wire(model),
         .max_waiting_frames = options.max_waiting_frames,
         .max_batch_items = options.max_batch_items},
        *node.shard, *node.link, clock);
    node.peer = *link->Connect(address);
    dispatcher->SetPeer(id, node.peer);
  }

  void Idle() {
    clock.Advance(absl::Milliseconds(1));
    if (on_idle) on_idle();
    for (Node& node : nodes) {
      if (node.node != nullptr && !node.frozen) node.node->Poll();
    }
  }

  // As if the process died.
  void Kill(int n) {
    Node& node = nodes[static_cast<size_t>(n)];
    node.node = nullptr;
    node.link = nullptr;
    node.endpoint = nullptr;
  }

  absl::StatusOr<std::vector<float>> Run(const MoeBatch& batch) {
    auto handle = dispatcher->Dispatch(batch.View());
    if (!handle.ok()) return handle.status();
    return Combine(*handle, batch);
  }

  absl::StatusOr<std::vector<float>> Combine(router::DispatchHandle handle,
                                             const MoeBatch& batch) {
    std::vector<float> out(batch.hidden.size(), -1.0F);
    const absl::Status status = dispatcher->Combine(
        handle, {out.data(), batch.rows.rows, MoeModel::kHiddenSize});
    if (status.ok()) return out;
    // Never partially written.
    for (const float value : out) EXPECT_EQ(value, -1.0F);
    return status;
  }

  const MoeMeshOptions options;
  const std::shared_ptr<const router::Placement> placement;
  FakeClock clock;
  std::function<void()> on_idle;  // called as time passes
  ThreadPool pool{1};
  router::InProcessNetwork network;
  std::unique_ptr<router::Transport> endpoint;
  std::unique_ptr<router::FaultyTransport> link;
  std::vector<Node> nodes;
  std::unique_ptr<router::Dispatcher> dispatcher;
};

// row_e of every pick, each computed alone, by the shipped expert.
inline std::vector<std::vector<ReferencePick>> PicksAlone(
    const MoeModel& model, const MoeBatch& batch) {
  const ScopedFlushDenormals flush;
  ThreadPool pool(1);
  std::vector<std::vector<ReferencePick>> all;
  for (int r = 0; r < batch.rows.rows; ++r) {
    auto& picks = all.emplace_back();
    for (int k = 0; k < batch.num_topk; ++k) {
      const size_t p = static_cast<size_t>(r * batch.num_topk + k);
      const ExpertId expert = batch.experts[p];
      expert::ExpertShard shard(model.kernels, pool, MoeModel::kHiddenSize);
      EXPECT_OK(shard.Load(batch.layer, expert,
                           model.At(batch.layer, expert).packed));
      const std::vector<int> offsets = {0, 1};
      const RowsView row = *shard.Forward({.layer = batch.layer,
                                           .experts = {&expert, 1},
                                           .offsets = offsets,
                                           .hidden = batch.rows.Slice(r, 1)});
      ReferencePick pick{.expert = expert.value, .weight = batch.weights[p]};
      for (size_t i = 0; i < MoeModel::kHiddenSize; ++i) {
        pick.row.push_back(row.dtype == DType::kF32
                               ? row.RowAs<float>(0)[i]
                               : ToFloat(row.RowAs<Bf16>(0)[i]));
      }
      picks.push_back(std::move(pick));
    }
  }
  return all;
}

// The canonical output: every row_e alone, combined by the twin.
inline std::vector<float> CanonicalOutput(const MoeModel& model,
                                          const MoeBatch& batch,
                                          int num_groups) {
  std::vector<float> out;
  for (const auto& picks : PicksAlone(model, batch)) {
    const auto row =
        ReferenceCombine(picks, MoeModel::kNumExperts / num_groups, num_groups,
                         MoeModel::kHiddenSize, model.Wire());
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

}  // namespace mesh
