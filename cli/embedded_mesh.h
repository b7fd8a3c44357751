// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "attention-node/attention_weights.h"
#include "attention-node/engine.h"
#include "attention-node/engine_model.h"
#include "attention-node/forward_trace.h"
#include "attention-node/node_engine.h"
#include "attention-node/transformer.h"
#include "core/clock.h"
#include "core/thread_pool.h"
#include "expert-node/expert_node.h"
#include "expert-node/expert_shard.h"
#include "kernels/kernels.h"
#include "model/checkpoint.h"
#include "router/dispatcher.h"
#include "router/placement/placement.h"
#include "router/routed_batch.h"
#include "router/transport/in_process_transport.h"

namespace mesh::cli {

// What has been loaded so far, for a progress line.
struct LoadProgress {
  absl::string_view what;  // "attention", "experts"
  int done = 0;
  int total = 0;
};

// A mesh in one process: an engine and its expert shards over the in-process
// transport. The shards compute inside the engine thread's wait, on its pool.
// Threads: Create and the destructor on one thread; Engine() as it says.
class EmbeddedMesh {
 public:
  struct Options {
    std::string model_dir = {};
    std::string kernels = "auto";  // see Kernels::Select
    int num_threads = 0;           // 0: one per core
    int num_shards = 1;            // expert nodes
    int num_replicas = 1;          // of each expert
    int block_size = 64;           // tokens of a KV block
    // Memory for latent KV; 0: enough for max_running_sequences full
    // contexts, but at most 1 GiB.
    size_t kv_bytes = 0;
    attention::StepLimits limits = {};
    bool prefix_cache = true;  // streams share what begins alike
    // Takes the rows in place of the shards, which are then not loaded. Not
    // owned; for tests and drills.
    router::ExpertDispatch* dispatch = nullptr;
    // Sees what forward passes compute. Not owned; may be null.
    attention::ForwardTrace* trace = nullptr;
    std::function<void(const LoadProgress&)> progress = {};  // may be empty
  };

  // Loads everything. Errors: those of the files (model/checkpoint.h) and of
  // the options; kResourceExhausted if memory does not suffice.
  static absl::StatusOr<std::unique_ptr<EmbeddedMesh>> Create(
      const Options& options);
  ~EmbeddedMesh();
  EmbeddedMesh(const EmbeddedMesh&) = delete;
  EmbeddedMesh& operator=(const EmbeddedMesh&) = delete;

  attention::Engine& Engine() { return engine_->Engine(); }
  attention::Transformer& Transformer() { return engine_->Transformer(); }
  const attention::EngineModel& EngineModel() const { return engine_->Model(); }
  const model::Checkpoint& Checkpoint() const { return *checkpoint_; }
  const kernels::Kernels& Kernels() const { return kernels_; }
  // REQUIRES: Options::dispatch was null.
  const router::Dispatcher& Dispatcher() const { return *dispatcher_; }

 private:
  struct Node {
    std::unique_ptr<router::Transport> transport;
    std::unique_ptr<expert::ExpertShard> shard;
    std::unique_ptr<expert::ExpertNode> node;
  };

  EmbeddedMesh(const kernels::Kernels& kernels, int num_threads)
      : kernels_(kernels), pool_(num_threads) {}

  absl::Status LoadExperts(const Options& options);
  absl::Status StartDispatch(const Options& options);
  absl::Status LoadAttention(const Options& options);
  absl::Status StartEngine(const Options& options);

  const kernels::Kernels kernels_;
  const RealClock clock_;
  ThreadPool pool_;
  std::unique_ptr<model::Checkpoint> checkpoint_;
  std::shared_ptr<const router::Placement> placement_;
  router::InProcessNetwork network_;
  std::vector<Node> nodes_;
  std::unique_ptr<router::Transport> transport_;
  std::unique_ptr<router::Dispatcher> dispatcher_;
  std::shared_ptr<const attention::AttentionWeights> weights_;
  std::unique_ptr<attention::NodeEngine> engine_;
};

}  // namespace mesh::cli
