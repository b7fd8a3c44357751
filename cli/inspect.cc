// SPDX-License-Identifier: Apache-2.0
#include "cli/inspect.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "attention-node/latent_kv_cache.h"
#include "attention-node/transformer.h"
#include "cli/load_mesh.h"
#include "core/status_macros.h"
#include "kernels/kernels.h"
#include "model/moe_layers.h"
#include "model/weight_names.h"
#include "router/placement/even_placement.h"

namespace mesh::cli {
namespace {

// Where the bytes of a checkpoint go.
struct Sizes {
  uint64_t attention = 0;  // all but routed experts and MTP layers
  uint64_t experts = 0;
  uint64_t skipped = 0;  // MTP layers and tensors that nothing reads
};

uint64_t StoredBytes(const model::Checkpoint& checkpoint,
                     const std::string& name) {
  const model::TensorInfo* weight = checkpoint.Find(name);
  const model::TensorInfo* scale = checkpoint.Find(model::ScaleName(name));
  return (weight == nullptr ? 0 : weight->NumBytes()) +
         (scale == nullptr ? 0 : scale->NumBytes());
}

uint64_t ExpertBytes(const model::Checkpoint& checkpoint,
                     const router::ExpertKey& key) {
  uint64_t bytes = 0;
  for (const model::Projection projection :
       {model::Projection::kGate, model::Projection::kUp,
        model::Projection::kDown}) {
    bytes += StoredBytes(
        checkpoint,
        model::ExpertName(key.layer.value, key.expert.value, projection));
  }
  return bytes;
}

Sizes MeasureSizes(const model::Checkpoint& checkpoint) {
  Sizes sizes;
  uint64_t all = 0;
  for (const auto& file : checkpoint.Files()) {
    for (const model::TensorInfo& tensor : file->Tensors()) {
      all += tensor.NumBytes();
    }
  }
  for (const model::ExpectedTensor& tensor :
       model::RequiredTensors(checkpoint.Config())) {
    const uint64_t bytes = StoredBytes(checkpoint, tensor.name);
    const bool routed = absl::StrContains(tensor.name, ".mlp.experts.");
    (routed ? sizes.experts : sizes.attention) += bytes;
  }
  sizes.skipped = all - sizes.attention - sizes.experts;
  return sizes;
}

std::string Bytes(uint64_t bytes) {
  const double value = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return absl::StrFormat("%.2f GB", value / 1e9);
  if (bytes >= 1'000'000) return absl::StrFormat("%.2f MB", value / 1e6);
  return absl::StrFormat("%.1f kB", value / 1e3);
}

std::string DescribeShape(const model::Checkpoint& checkpoint) {
  const model::DeepseekConfig& config = checkpoint.Config();
  const int num_moe_layers = static_cast<int>(model::MoeLayers(config).size());
  std::string text = absl::StrFormat(
      "%s\n"
      "  parameters   %.3f billion (MTP layers included)\n"
      "  layers       %d, of which %d with experts; hidden size %d\n"
      "  experts      %d routed in %d groups, %d of them per token; %d shared\n"
      "  attention    %d heads, latent rank %d, rotary part %d\n"
      "  context      %d tokens; vocabulary %d\n",
      checkpoint.Dir(), static_cast<double>(config.ParameterCount()) / 1e9,
      config.num_hidden_layers, num_moe_layers, config.hidden_size,
      config.n_routed_experts, config.n_group, config.num_experts_per_tok,
      config.n_shared_experts, config.num_attention_heads, config.kv_lora_rank,
      config.qk_rope_head_dim, config.max_position_embeddings,
      config.vocab_size);
  absl::StrAppend(&text, "  weights      ",
                  config.quantization.has_value()
                      ? absl::StrFormat("fp8 in blocks of %d x %d",
                                        config.quantization->block_rows,
                                        config.quantization->block_cols)
                      : "bf16 or f32",
                  ", ", checkpoint.Files().size(), " files\n  digest       ",
                  checkpoint.GetManifest() != nullptr
                      ? checkpoint.GetManifest()->ModelDigest().ToHex()
                      : "none; `expertmesh hash` writes a manifest",
                  "\n");
  return text;
}

absl::StatusOr<std::string> DescribeNeeds(const model::Checkpoint& checkpoint,
                                          const Sizes& sizes) {
  ASSIGN_OR_RETURN(const kernels::Kernels kernels,
                   kernels::Kernels::Select("auto"));
  attention::LatentKvCache::Options cache =
      attention::Transformer::CacheOptions(checkpoint.Config(), kernels);
  cache.block_size = 1;
  const size_t kv_bytes = attention::LatentKvCache::BlockBytes(cache);
  const int num_experts = static_cast<int>(
      model::MoeLayers(checkpoint.Config()).size() *
      static_cast<size_t>(checkpoint.Config().n_routed_experts));
  return absl::StrFormat(
      "needs\n"
      "  an attention node reads  %s, and %s of latent KV per token\n"
      "  all experts together     %s, %s each\n"
      "  read by nobody           %s\n",
      Bytes(sizes.attention), Bytes(kv_bytes), Bytes(sizes.experts),
      Bytes(num_experts == 0
                ? 0
                : sizes.experts / static_cast<uint64_t>(num_experts)),
      Bytes(sizes.skipped));
}

absl::StatusOr<std::string> DescribeNodes(const model::Checkpoint& checkpoint,
                                          const InspectOptions& options) {
  const model::DeepseekConfig& config = checkpoint.Config();
  router::EvenPlacementOptions even;
  even.layers = model::MoeLayers(config);
  even.num_experts = config.n_routed_experts;
  even.num_groups = config.n_group;
  even.num_replicas = options.num_replicas;
  for (int node = 0; node < options.num_nodes; ++node) {
    even.nodes.push_back(NodeId{static_cast<uint32_t>(node)});
  }
  ASSIGN_OR_RETURN(const auto placement, router::EvenPlacement(even));
  std::string text = absl::StrFormat("%d expert nodes, %d copies\n",
                                     options.num_nodes, options.num_replicas);
  for (const NodeId node : even.nodes) {
    const std::vector<router::ExpertKey> keys = placement->HostedBy(node);
    uint64_t bytes = 0;
    for (const router::ExpertKey& key : keys) {
      bytes += ExpertBytes(checkpoint, key);
    }
    absl::StrAppendFormat(&text, "  node %-3u reads %d experts, %s\n",
                          node.value, keys.size(), Bytes(bytes));
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> DescribeModel(const model::Checkpoint& checkpoint,
                                          const InspectOptions& options) {
  std::string text = DescribeShape(checkpoint);
  ASSIGN_OR_RETURN(const std::string needs,
                   DescribeNeeds(checkpoint, MeasureSizes(checkpoint)));
  text += needs;
  if (model::MoeLayers(checkpoint.Config()).empty()) return text;
  ASSIGN_OR_RETURN(const std::string nodes, DescribeNodes(checkpoint, options));
  return text + nodes;
}

absl::Status RunInspect(const InspectOptions& options, Console& console) {
  ASSIGN_OR_RETURN(const auto checkpoint,
                   model::Checkpoint::Open(options.model_dir));
  ASSIGN_OR_RETURN(const std::string text, DescribeModel(*checkpoint, options));
  std::fputs(text.c_str(), stdout);
  NoteWarnings(*checkpoint, console);
  return absl::OkStatus();
}

}  // namespace mesh::cli
