// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "attention-node/attention_identity.h"
#include "attention-node/control_thread.h"
#include "attention-node/engine_thread.h"
#include "attention-node/expert_dialer.h"
#include "attention-node/expert_links.h"
#include "attention-node/gateway_connections.h"
#include "attention-node/node_engine.h"
#include "core/clock.h"
#include "core/thread_pool.h"
#include "kernels/kernels.h"
#include "model/checkpoint.h"
#include "router/transport/data_plane.h"
#include "service/flags.h"
#include "service/grpc_server.h"
#include "service/listen_options.h"
#include "service/logger.h"
#include "service/metrics.h"

namespace mesh::attention {

class AttentionMetrics;
class AttentionService;
class DispatchMetrics;
class ExpertDialerClient;
class RouterClient;

// An attention node, whole: the engine and its thread, links to expert nodes,
// the gRPC door and the membership. Thread-safe.
class AttentionServer {
 public:
  struct Options {
    service::ListenOptions listen = {};
    std::string name = {};
    std::string router_address = {};
    std::string model_dir = {};
    std::string kernels = "auto";
    int num_threads = 0;         // 0: one per core
    uint64_t kv_memory_mib = 0;  // 0: for max_running full contexts, <= 1 GiB
    int max_step_tokens = 512;
    int max_running = 64;  // streams that hold KV blocks
    bool prefix_cache = true;
    router::DataPlaneOptions data_plane = {};
    absl::Duration orphan_wait = absl::Seconds(30);
    absl::Duration hedge_after = absl::Milliseconds(200);
    // Hears, once and on any thread, why a node that listens can never serve.
    std::function<void(const absl::Status&)> on_failure = nullptr;
  };

  // All flags of the role. `options` outlives Flags::Parse.
  static void AddFlags(service::Flags& flags, Options* options);

  // Returns once the weights are loaded; listens and is a member of the mesh
  // before that. Health is NOT_SERVING until every expert can be reached.
  // `logger` outlives the server. Errors, each one sentence for people:
  // kInvalidArgument for options; those of Checkpoint::Open, GrpcServer::Start,
  // Metrics::Start, OpenDataPlane and of the weights; kResourceExhausted for
  // too little memory or too few descriptors.
  static absl::StatusOr<std::unique_ptr<AttentionServer>> Start(
      const Options& options, const service::Logger& logger);
  ~AttentionServer();

  const std::string& Address() const { return identity_->grpc_address; }
  const std::string& MetricsAddress() const {
    return identity_->metrics_address;
  }
  bool Ready() const { return ready_.load(); }

  // Takes no more streams, lets those that are here end, at most for `limit`,
  // and stops; gateways move what is left.
  void Drain(absl::Duration limit);

 private:
  AttentionServer(const Options& options, const kernels::Kernels& kernels,
                  const service::Logger& logger);

  NodeEngine::Options EngineOptions() const;
  absl::Status OpenModel();
  absl::Status OpenDataPlane();
  absl::Status Listen();
  absl::Status Join();
  absl::Status LoadEngine();
  void StartEngine();
  void OnStep(const EngineCounters& engine);
  void Stop();

  // The control thread's work; returns when it is wanted again.
  absl::Time Control();
  void ShowLoading(absl::Time now);
  void SeeReady();
  void OnFailure(const absl::Status& status);

  const Options options_;
  const kernels::Kernels kernels_;
  const service::Logger& logger_;
  const RealClock clock_;
  ThreadPool pool_;
  std::atomic<bool> loaded_{false};
  std::atomic<bool> ready_{false};
  std::atomic<bool> draining_{false};
  std::atomic<bool> failed_{false};

  std::shared_ptr<AttentionIdentity> identity_;
  std::unique_ptr<model::Checkpoint> checkpoint_;
  uint64_t weight_bytes_ = 0;  // in the checkpoint
  std::unique_ptr<service::Metrics> metrics_;
  std::unique_ptr<AttentionMetrics> attention_metrics_;
  std::unique_ptr<DispatchMetrics> dispatch_metrics_;
  std::unique_ptr<router::Transport> transport_;
  ControlThread control_;
  std::unique_ptr<ExpertDialer> dialer_;
  std::unique_ptr<ExpertLinks> links_;
  std::unique_ptr<GatewayConnections> connections_;
  std::unique_ptr<NodeEngine> engine_;
  std::unique_ptr<EngineThread> engine_thread_;
  std::unique_ptr<ExpertDialerClient> dialer_client_;
  std::unique_ptr<AttentionService> service_;
  std::unique_ptr<service::GrpcServer> grpc_;
  std::unique_ptr<RouterClient> router_;

  // Control thread.
  absl::Time loading_since_ = absl::InfinitePast();
  absl::Time loading_shown_at_ = absl::InfinitePast();
  absl::Time second_at_ = absl::InfinitePast();
  // Engine thread.
  absl::Time step_began_ = absl::InfinitePast();
  int64_t last_steps_ = 0;
};

}  // namespace mesh::attention
