// SPDX-License-Identifier: Apache-2.0
#include "cli/embedded_mesh.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/num_threads.h"
#include "core/status_macros.h"
#include "expert-node/expert_loader.h"
#include "model/moe_layers.h"
#include "router/placement/even_placement.h"

namespace mesh::cli {
namespace {

std::string NodeAddress(int node) { return absl::StrCat("expert-", node); }

}  // namespace

EmbeddedMesh::~EmbeddedMesh() = default;

absl::StatusOr<std::unique_ptr<EmbeddedMesh>> EmbeddedMesh::Create(
    const Options& options) {
  ASSIGN_OR_RETURN(const kernels::Kernels kernels,
                   kernels::Kernels::Select(options.kernels));
  std::unique_ptr<EmbeddedMesh> mesh(
      new EmbeddedMesh(kernels, NumThreads(options.num_threads)));
  ASSIGN_OR_RETURN(mesh->checkpoint_,
                   model::Checkpoint::Open(options.model_dir));
  RETURN_IF_ERROR(mesh->LoadAttention(options));
  if (options.dispatch == nullptr) {
    RETURN_IF_ERROR(mesh->LoadExperts(options));
    RETURN_IF_ERROR(mesh->StartDispatch(options));
  }
  RETURN_IF_ERROR(mesh->StartEngine(options));
  return mesh;
}

absl::Status EmbeddedMesh::LoadAttention(const Options& options) {
  if (options.progress) options.progress({"attention", 0, 1});
  ASSIGN_OR_RETURN(
      weights_, attention::LoadAttentionWeights(*checkpoint_, kernels_, pool_));
  if (options.progress) options.progress({"attention", 1, 1});
  return absl::OkStatus();
}

absl::Status EmbeddedMesh::LoadExperts(const Options& options) {
  const model::DeepseekConfig& config = checkpoint_->Config();
  router::EvenPlacementOptions placement;
  placement.layers = model::MoeLayers(config);
  placement.num_experts = config.n_routed_experts;
  placement.num_groups = config.n_group;
  placement.num_replicas = options.num_replicas;
  for (int node = 0; node < options.num_shards; ++node) {
    placement.nodes.push_back(NodeId{static_cast<uint32_t>(node)});
  }
  ASSIGN_OR_RETURN(placement_, router::EvenPlacement(placement));

  int total = 0;
  for (const NodeId node : placement.nodes) {
    total += static_cast<int>(placement_->HostedBy(node).size());
  }
  int done_before = 0;
  for (const NodeId node : placement.nodes) {
    Node& parts = nodes_.emplace_back();
    parts.shard = std::make_unique<expert::ExpertShard>(kernels_, pool_,
                                                        config.hidden_size);
    const std::vector<router::ExpertKey> keys = placement_->HostedBy(node);
    RETURN_IF_ERROR(expert::LoadExperts(
        *checkpoint_, kernels_, keys, pool_, *parts.shard, [&](int done) {
          if (options.progress) {
            options.progress({"experts", done_before + done, total});
          }
        }));
    done_before += static_cast<int>(keys.size());
  }
  return absl::OkStatus();
}

absl::Status EmbeddedMesh::StartDispatch(const Options& options) {
  expert::ExpertNode::Options node_options;
  node_options.wire = attention::WireLimitsOf(checkpoint_->Config(), kernels_);
  for (int node = 0; node < options.num_shards; ++node) {
    Node& parts = nodes_[static_cast<size_t>(node)];
    ASSIGN_OR_RETURN(parts.transport,
                     network_.CreateEndpoint(NodeAddress(node)));
    ASSIGN_OR_RETURN(parts.node,
                     expert::ExpertNode::Create(node_options, *parts.shard,
                                                *parts.transport, clock_));
  }
  ASSIGN_OR_RETURN(transport_, network_.CreateEndpoint("attention-0"));

  router::Dispatcher::Options dispatch;
  dispatch.wire = node_options.wire;
  dispatch.incarnation = 1;
  // The shards compute inside Combine() on this very thread: an answer is late
  // only if the computation is long, and sending again would double it.
  dispatch.deadline = absl::Hours(24);
  dispatch.hedge_after = absl::Hours(24);
  dispatch.idle = [this](absl::Duration) {
    for (Node& parts : nodes_) parts.node->Poll();
  };
  ASSIGN_OR_RETURN(dispatcher_,
                   router::Dispatcher::Create(dispatch, *transport_, clock_));
  for (int node = 0; node < options.num_shards; ++node) {
    ASSIGN_OR_RETURN(const PeerId peer, transport_->Connect(NodeAddress(node)));
    dispatcher_->SetPeer(NodeId{static_cast<uint32_t>(node)}, peer);
  }
  return dispatcher_->SetPlacement(placement_);
}

absl::Status EmbeddedMesh::StartEngine(const Options& options) {
  router::ExpertDispatch& dispatch =
      options.dispatch != nullptr ? *options.dispatch : *dispatcher_;
  ASSIGN_OR_RETURN(engine_, attention::NodeEngine::Create(
                                {.block_size = options.block_size,
                                 .kv_bytes = options.kv_bytes,
                                 .limits = options.limits,
                                 .prefix_cache = options.prefix_cache,
                                 .trace = options.trace},
                                {.checkpoint = *checkpoint_,
                                 .kernels = kernels_,
                                 .weights = weights_,
                                 .pool = pool_,
                                 .dispatch = dispatch,
                                 .clock = clock_}));
  return absl::OkStatus();
}

}  // namespace mesh::cli
