// SPDX-License-Identifier: Apache-2.0
#include "router/control/router_server.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "router/control/control_thread.h"
#include "router/control/controller.h"
#include "router/control/membership_service.h"
#include "router/control/placement_service.h"
#include "router/control/router_metrics.h"
#include "router/control/term_source.h"
#include "service/grpc_server.h"
#include "service/listen_flags.h"
#include "service/metrics.h"
#include "service/process_stats.h"
#include "service/role.h"
#include "service/version.h"

namespace mesh::router {
namespace {

constexpr absl::Duration kMetricsInterval = absl::Seconds(1);
// Beside the streams of the nodes.
constexpr int kOtherDescriptors = 256;

uint64_t DrawIncarnation() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

absl::Status CheckOptions(const RouterServer::Options& options) {
  if (options.heartbeat_interval < absl::Milliseconds(10) ||
      options.heartbeat_interval > absl::Minutes(1)) {
    return absl::InvalidArgumentError(
        "--heartbeat-interval: expected 10ms to 1m");
  }
  if (options.lease < 2 * options.heartbeat_interval) {
    return absl::InvalidArgumentError(
        "--lease: expected at least twice --heartbeat-interval");
  }
  if (options.settle < absl::ZeroDuration() ||
      options.hold < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        "--settle and --hold: expected no negative time");
  }
  return absl::OkStatus();
}

}  // namespace

void RouterServer::AddFlags(service::Flags& flags, Options* options) {
  if (options->name.empty()) options->name = "router";
  flags.Add("name", &options->name, "name in the mesh");
  service::AddListenFlags(flags, &options->listen);
  flags.Add("state-dir", &options->state_dir,
            "folder for the router's term; without one a temporary folder");
  flags.Add("replicas", &options->num_replicas, "wanted copies of each expert",
            1, 32);
  flags.Add("min-expert-nodes", &options->min_expert_nodes,
            "the first placement waits for so many", 1, 4096);
  flags.Add("settle", &options->settle,
            "time without a join before nodes are given experts");
  flags.Add("lease", &options->lease,
            "a node without a heartbeat for so long is gone");
  flags.Add("heartbeat-interval", &options->heartbeat_interval,
            "time between a node's heartbeats");
  flags.Add("hold", &options->hold,
            "longest that an attention node which cannot be reached delays "
            "freeing");
  flags.Add("max-nodes", &options->max_nodes, "most nodes of the mesh", 1,
            1 << 20);
}

RouterServer::RouterServer(const Options& options,
                           const service::Logger& logger)
    : options_(options), logger_(logger) {}

absl::StatusOr<std::unique_ptr<RouterServer>> RouterServer::Start(
    const Options& options, const service::Logger& logger) {
  RETURN_IF_ERROR(CheckOptions(options));
  RETURN_IF_ERROR(
      service::RaiseDescriptorLimit(kOtherDescriptors + options.max_nodes));
  std::unique_ptr<RouterServer> server(new RouterServer(options, logger));
  RETURN_IF_ERROR(server->OpenTerm());
  ASSIGN_OR_RETURN(server->metrics_,
                   service::Metrics::Start(
                       options.listen.metrics_listen,
                       std::string(service::RoleName(service::Role::kRouter))));
  server->metrics_address_ = server->metrics_->Address();
  server->MakeController();
  RETURN_IF_ERROR(server->Listen());
  return server;
}

RouterServer::~RouterServer() {
  Stop(absl::ZeroDuration());
  if (temporary_dir_.empty()) return;
  terms_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(temporary_dir_, ignored);
}

absl::Status RouterServer::OpenTerm() {
  std::string folder = options_.state_dir;
  if (folder.empty()) {
    std::error_code error;
    folder =
        (std::filesystem::temp_directory_path(error) / "mesh-router.XXXXXX")
            .string();
    if (error || mkdtemp(folder.data()) == nullptr) {
      return absl::ErrnoToStatus(
          errno, "cannot make a temporary folder; give --state-dir");
    }
    temporary_dir_ = folder;
    if (options_.outlived_by_nodes) {
      logger_.Warning(
          "no_state_dir",
          {{"hint", std::string("give --state-dir, so that a restart knows "
                                "the last term")}});
    }
  }
  ASSIGN_OR_RETURN(terms_, FileTermSource::Open(folder));
  return absl::OkStatus();
}

void RouterServer::MakeController() {
  membership_ = std::make_unique<MembershipService>(
      MembershipService::Options{
          .heartbeat_interval = options_.heartbeat_interval,
          .lease = options_.lease},
      logger_);
  Controller::Options controller;
  controller.membership.max_nodes = static_cast<size_t>(options_.max_nodes);
  controller.membership.lease = options_.lease;
  controller.placement.num_replicas = options_.num_replicas;
  controller.placement.hold = options_.hold;
  controller.placement.settling.min_expert_nodes = options_.min_expert_nodes;
  controller.placement.settling.settle = options_.settle;
  controller_ =
      std::make_unique<Controller>(controller, *terms_, *membership_, clock_);
  thread_ = std::make_unique<ControlThread>(*controller_, clock_);
  placement_ = std::make_unique<PlacementService>();
  placement_->Attach(thread_.get());
  router_metrics_ = std::make_unique<RouterMetrics>(metrics_->Registry());
}

absl::Status RouterServer::Listen() {
  NodeIdentity identity{.name = options_.name,
                        .role = service::Role::kRouter,
                        .incarnation = DrawIncarnation(),
                        .grpc_address = "",
                        .metrics_address = metrics_address_,
                        .version = std::string(service::Version()),
                        .id = {}};
  membership_->Attach(thread_.get(), identity);
  service::GrpcServer::Options grpc;
  grpc.listen = options_.listen;
  grpc.services = {membership_.get(), placement_.get()};
  grpc.service_names = {"mesh.router.v1.MembershipService",
                        "mesh.router.v1.PlacementService"};
  ASSIGN_OR_RETURN(grpc_, service::GrpcServer::Start(grpc));
  address_ = grpc_->AdvertisedAddress();
  identity.grpc_address = address_;
  // Calls that came already wait for the thread, which starts now.
  thread_->Post([this, identity](Controller& /*controller*/) {
    membership_->Attach(thread_.get(), identity);
  });
  thread_->Post([this](Controller& controller) { RefreshMetrics(controller); });
  thread_->Start();
  grpc_->SetReady(true);
  logger_.Info("listening", {{"address", address_},
                             {"metrics", metrics_address_},
                             {"term", terms_->Term()}});
  return absl::OkStatus();
}

void RouterServer::RefreshMetrics(Controller& controller) {
  router_metrics_->Refresh(controller);
  thread_->PostAt(clock_.Now() + kMetricsInterval,
                  [this](Controller& later) { RefreshMetrics(later); });
}

void RouterServer::Drain(absl::Duration limit) { Stop(limit); }

void RouterServer::Stop(absl::Duration grace) {
  if (grpc_ != nullptr) {
    grpc_->SetReady(false);
    // Before it hears that the nodes are gone, which is no loss.
    thread_->Post([](Controller& controller) {
      controller.StepAside("the router is stopping");
    });
    membership_->CloseAll(absl::UnavailableError("the router is stopping"));
    // The thread still answers the calls that run.
    grpc_->Shutdown(grace);
  }
  if (thread_ != nullptr) thread_->Stop();
}

}  // namespace mesh::router
