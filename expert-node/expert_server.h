// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "core/thread_pool.h"
#include "expert-node/data_plane.h"
#include "expert-node/expert_identity.h"
#include "expert-node/expert_shard.h"
#include "expert-node/expert_stats.h"
#include "expert-node/hosting_runner.h"
#include "expert-node/placement_follower.h"
#include "kernels/kernels.h"
#include "model/checkpoint.h"
#include "router/transport/data_plane.h"
#include "service/flags.h"
#include "service/grpc_server.h"
#include "service/listen_options.h"
#include "service/logger.h"
#include "service/metrics.h"

namespace mesh::expert {

class ExpertMetrics;
class ExpertService;
class RouterClient;

// An expert node, whole: the shard, the thread that answers frames, the thread
// that loads, the gRPC door and the membership. Thread-safe.
class ExpertServer {
 public:
  struct Options {
    service::ListenOptions listen = {};
    std::string name = {};
    std::string router_address = {};  // empty: none, for a node that runs alone
    std::string model_dir = {};
    std::string kernels = "auto";
    int num_threads = 0;      // 0: one per core
    uint64_t memory_mib = 0;  // for experts; 0: what the machine has
    // "all": hold every expert from the start, until the router orders
    // otherwise; empty: what the router orders.
    std::string experts = {};
    int max_waiting_frames = 1024;
    router::DataPlaneOptions data_plane = {};
    // Hears, once and on any thread, why a node that listens can never serve.
    std::function<void(const absl::Status&)> on_failure = nullptr;
  };

  // All flags of the role. `options` outlives Flags::Parse.
  static void AddFlags(service::Flags& flags, Options* options);

  // Returns once the node listens and is about to join; it has read no weight
  // yet, and health is NOT_SERVING until it holds what it was told to.
  // `logger` outlives the server. Errors, each one sentence for people:
  // kInvalidArgument for options; those of Checkpoint::Open, GrpcServer::Start,
  // Metrics::Start and OpenDataPlane; kResourceExhausted for too little memory
  // or too few descriptors.
  static absl::StatusOr<std::unique_ptr<ExpertServer>> Start(
      const Options& options, const service::Logger& logger);
  ~ExpertServer();

  const std::string& Address() const { return identity_->grpc_address; }
  const std::string& MetricsAddress() const {
    return identity_->metrics_address;
  }
  bool Ready() const { return follower_->Settled(); }

  // Answers on until the router has given the node's experts to others, at
  // most for `limit`; then stops.
  void Drain(absl::Duration limit);

 private:
  ExpertServer(const Options& options, const kernels::Kernels& kernels,
               const service::Logger& logger);

  absl::Status OpenModel();
  absl::Status OpenDataPlane();
  absl::Status Listen();
  absl::Status Join();
  void OnHosted(const HostingReport& report);
  void OnFailure(const absl::Status& status);
  // Readiness comes and goes once.
  void SetReady(bool ready);
  HostingRunner::Options FollowerOptions() const;
  ExpertStats Stats() const { return ReadStats(*plane_, *shard_); }
  void Stop();

  const Options options_;
  const kernels::Kernels kernels_;
  const service::Logger& logger_;
  const RealClock clock_;
  ThreadPool pool_;
  std::atomic<uint32_t> node_id_{0};
  std::atomic<bool> failed_{false};

  std::shared_ptr<ExpertIdentity> identity_;
  std::unique_ptr<model::Checkpoint> checkpoint_;
  std::unique_ptr<ExpertShard> shard_;
  std::shared_ptr<ExpertMetrics> expert_metrics_;
  std::unique_ptr<service::Metrics> metrics_;
  std::shared_ptr<router::LinkAcceptor> acceptor_;
  std::unique_ptr<DataPlane> plane_;
  std::unique_ptr<PlacementFollower> follower_;
  std::unique_ptr<ExpertService> service_;
  std::unique_ptr<service::GrpcServer> grpc_;
  std::unique_ptr<RouterClient> router_;

  Mutex ready_mutex_;
  bool draining_ ABSL_GUARDED_BY(ready_mutex_) = false;
};

}  // namespace mesh::expert
