// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "service/flags.h"
#include "service/listen_options.h"
#include "service/logger.h"

namespace mesh::service {
class GrpcServer;
class Metrics;
}  // namespace mesh::service

namespace mesh::router {

class ControlThread;
class Controller;
class FileTermSource;
class MembershipService;
class PlacementService;
class RouterMetrics;

// The router process, whole: the controller on its thread, the gRPC doors, the
// metrics. Thread-safe.
class RouterServer {
 public:
  struct Options {
    service::ListenOptions listen = {};
    std::string name = {};
    // Holds the term; empty: a temporary folder, which the next start does not
    // find.
    std::string state_dir = {};
    // False for a router that ends with all of its nodes: then an empty
    // state_dir is no reason for a warning.
    bool outlived_by_nodes = true;
    int num_replicas = 1;
    int min_expert_nodes = 1;
    absl::Duration settle = absl::Seconds(1);
    absl::Duration lease = absl::Seconds(2);
    absl::Duration heartbeat_interval = absl::Milliseconds(500);
    absl::Duration hold = absl::Seconds(30);
    int max_nodes = 1024;
  };

  // All flags of the role. `options` outlives Flags::Parse.
  static void AddFlags(service::Flags& flags, Options* options);

  // Returns once it listens. `logger` outlives the server. Errors, each one
  // sentence for people: kInvalidArgument for options; those of
  // FileTermSource::Open, Metrics::Start and GrpcServer::Start.
  static absl::StatusOr<std::unique_ptr<RouterServer>> Start(
      const Options& options, const service::Logger& logger);
  ~RouterServer();

  const std::string& Address() const { return address_; }
  // Empty if there are none.
  const std::string& MetricsAddress() const { return metrics_address_; }

  // Tells the nodes to look for the next router, and stops.
  void Drain(absl::Duration limit);

 private:
  RouterServer(const Options& options, const service::Logger& logger);

  absl::Status OpenTerm();
  void MakeController();
  absl::Status Listen();
  void RefreshMetrics(Controller& controller);
  void Stop(absl::Duration grace);

  const Options options_;
  const service::Logger& logger_;
  const RealClock clock_;
  std::string temporary_dir_;  // removed at the end
  std::string address_;
  std::string metrics_address_;

  std::unique_ptr<FileTermSource> terms_;
  std::unique_ptr<service::Metrics> metrics_;
  std::unique_ptr<RouterMetrics> router_metrics_;
  std::unique_ptr<MembershipService> membership_;
  std::unique_ptr<PlacementService> placement_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<ControlThread> thread_;
  std::unique_ptr<service::GrpcServer> grpc_;
};

}  // namespace mesh::router
