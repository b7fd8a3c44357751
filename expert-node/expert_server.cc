// SPDX-License-Identifier: Apache-2.0
#include "expert-node/expert_server.h"

#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/num_threads.h"
#include "core/status_macros.h"
#include "expert-node/expert_loader.h"
#include "expert-node/expert_metrics.h"
#include "expert-node/expert_service.h"
#include "expert-node/expert_size.h"
#include "expert-node/router_client.h"
#include "model/model_digest.h"
#include "model/moe_layers.h"
#include "service/listen_flags.h"
#include "service/process_stats.h"
#include "service/role.h"

namespace mesh::expert {
namespace {

constexpr int kNeededDescriptors = 512;
constexpr absl::Duration kGrpcGrace = absl::Seconds(1);
// Loading must leave cores to the rows of those who wait for an answer.
constexpr int kMaxLoadThreads = 8;

uint64_t DrawIncarnation() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

std::vector<router::ExpertKey> AllExperts(const HostingLimits& limits) {
  std::vector<router::ExpertKey> keys;
  for (const LayerId layer : limits.layers) {
    for (int expert = 0; expert < limits.num_experts; ++expert) {
      keys.push_back({layer, ExpertId{static_cast<uint16_t>(expert)}});
    }
  }
  return keys;
}

absl::Status CheckOptions(const ExpertServer::Options& options) {
  if (options.model_dir.empty()) {
    return absl::InvalidArgumentError("--model: name the model's folder");
  }
  if (!options.experts.empty() && options.experts != "all") {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--experts: expected \"all\" or nothing, got \"%s\"", options.experts));
  }
  if (options.router_address.empty() && options.experts.empty()) {
    return absl::InvalidArgumentError(
        "--router: give the router's address, or --experts all for a node that "
        "runs alone");
  }
  return absl::OkStatus();
}

}  // namespace

void ExpertServer::AddFlags(service::Flags& flags, Options* options) {
  if (options->name.empty()) {
    options->name = absl::StrCat("expert-", getpid());
  }
  flags.Add("name", &options->name, "name in the mesh, unique in its role");
  service::AddListenFlags(flags, &options->listen);
  flags.Add("router", &options->router_address, "host:port of the router");
  flags.Add("model", &options->model_dir, "folder of the model");
  flags.Add("kernels", &options->kernels,
            "auto, avx512, avx2, scalar or reference");
  flags.Add("threads", &options->num_threads,
            "threads that compute; 0: one per core", 0, 1024);
  flags.Add("memory", &options->memory_mib,
            "MiB of memory for experts; 0: what the machine has");
  flags.Add("experts", &options->experts,
            "all: hold every expert until the router orders otherwise");
  flags.Add("max-waiting-frames", &options->max_waiting_frames,
            "frames that may wait before more are answered overloaded", 1,
            1 << 20);
  flags.Add("transport", &options->data_plane.transport,
            "data plane: ucx or in-process");
  flags.Add("device", &options->data_plane.ucx.device,
            "network devices of the data plane, comma-separated");
}

ExpertServer::ExpertServer(const Options& options,
                           const kernels::Kernels& kernels,
                           const service::Logger& logger)
    : options_(options),
      kernels_(kernels),
      logger_(logger),
      pool_(NumThreads(options.num_threads)),
      identity_(std::make_shared<ExpertIdentity>()) {}

absl::StatusOr<std::unique_ptr<ExpertServer>> ExpertServer::Start(
    const Options& options, const service::Logger& logger) {
  RETURN_IF_ERROR(CheckOptions(options));
  RETURN_IF_ERROR(service::RaiseDescriptorLimit(kNeededDescriptors));
  ASSIGN_OR_RETURN(const kernels::Kernels kernels,
                   kernels::Kernels::Select(options.kernels));
  std::unique_ptr<ExpertServer> server(
      new ExpertServer(options, kernels, logger));
  RETURN_IF_ERROR(server->OpenModel());
  RETURN_IF_ERROR(server->OpenDataPlane());
  RETURN_IF_ERROR(server->Listen());
  RETURN_IF_ERROR(server->Join());
  return server;
}

absl::Status ExpertServer::OpenModel() {
  ASSIGN_OR_RETURN(checkpoint_, model::Checkpoint::Open(options_.model_dir));
  for (const std::string& warning : checkpoint_->Warnings()) {
    logger_.Warning("checkpoint", {{"warning", warning}});
  }
  const model::DeepseekConfig& config = checkpoint_->Config();
  ASSIGN_OR_RETURN(identity_->expert_bytes,
                   PackedExpertBytes(*checkpoint_, kernels_));
  HostingLimits& hosting = identity_->hosting;
  hosting.layers = model::MoeLayers(config);
  hosting.num_experts = config.n_routed_experts;
  const int64_t total =
      static_cast<int64_t>(hosting.layers.size()) * hosting.num_experts;
  ASSIGN_OR_RETURN(
      hosting.capacity,
      ExpertCapacity(identity_->expert_bytes, total, options_.memory_mib << 20,
                     service::AvailableMemoryBytes()));
  if (options_.experts == "all" && hosting.capacity < total) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "--experts all: the model has %d experts, but there is memory for %d; "
        "raise --memory or let a router share them out",
        total, hosting.capacity));
  }
  identity_->name = options_.name;
  identity_->incarnation = DrawIncarnation();
  identity_->model_digest = model::ModelDigest(*checkpoint_);
  identity_->numerics = std::string(kernels_.NumericsName());
  identity_->transport = options_.data_plane.transport;
  identity_->wire.dtype = kernels_.ActivationDType();
  identity_->wire.hidden_size = config.hidden_size;
  identity_->wire.num_layers = config.num_hidden_layers;
  identity_->wire.num_experts = config.n_routed_experts;
  identity_->wire.num_groups = config.n_group;
  shard_ = std::make_unique<ExpertShard>(kernels_, pool_, config.hidden_size);
  return absl::OkStatus();
}

absl::Status ExpertServer::OpenDataPlane() {
  ASSIGN_OR_RETURN(metrics_,
                   service::Metrics::Start(
                       options_.listen.metrics_listen,
                       std::string(service::RoleName(service::Role::kExpert))));
  expert_metrics_ = std::make_shared<ExpertMetrics>(
      metrics_->Registry(), options_.data_plane.transport,
      [this] { return Stats(); });
  router::DataPlaneOptions data_plane = options_.data_plane;
  if (data_plane.name.empty()) data_plane.name = options_.name;
  ASSIGN_OR_RETURN(router::DataPlaneEnd end, router::OpenDataPlane(data_plane));
  identity_->wire.max_frame_bytes = end.transport->MaxFrameBytes();
  acceptor_ = end.acceptor;
  ExpertNode::Options node;
  node.wire = identity_->wire;
  node.max_waiting_frames = options_.max_waiting_frames;
  node.on_batch = [this](int num_rows, absl::Duration taken) {
    expert_metrics_->ObserveBatch(num_rows, taken);
  };
  ASSIGN_OR_RETURN(plane_, DataPlane::Create(node, *shard_,
                                             std::move(end.transport), clock_));
  metrics_->Add(expert_metrics_);
  return absl::OkStatus();
}

absl::Status ExpertServer::Listen() {
  service_ = std::make_unique<ExpertService>(
      ExpertService::Parts{.shard = shard_.get(),
                           .acceptor = acceptor_,
                           .stats = [this] { return Stats(); },
                           .node_id = &node_id_,
                           .logger = &logger_});
  service::GrpcServer::Options grpc;
  grpc.listen = options_.listen;
  grpc.services = {service_.get()};
  grpc.service_names = {"mesh.expert.v1.ExpertService"};
  ASSIGN_OR_RETURN(grpc_, service::GrpcServer::Start(grpc));
  identity_->grpc_address = grpc_->AdvertisedAddress();
  identity_->metrics_address = metrics_->Address();
  service_->SetIdentity(identity_);
  plane_->Start();
  logger_.Info("listening",
               {{"address", identity_->grpc_address},
                {"metrics", identity_->metrics_address},
                {"model", identity_->model_digest.ToHex()},
                {"numerics", identity_->numerics},
                {"capacity_experts", identity_->hosting.capacity}});
  return absl::OkStatus();
}

absl::Status ExpertServer::Join() {
  follower_ = std::make_unique<PlacementFollower>(
      FollowerOptions(), *shard_, clock_,
      [this](const HostingReport& report) { OnHosted(report); });
  if (!options_.router_address.empty()) {
    RouterClient::Parts parts{
        .identity = identity_,
        .shard = shard_.get(),
        .follower = follower_.get(),
        .stats = [this] { return Stats(); },
        .node_id = &node_id_,
        .on_refused = [this](const absl::Status& s) { OnFailure(s); },
        .logger = &logger_};
    router::MembershipClient::Options membership;
    membership.router_address = options_.router_address;
    membership.channel.tls = options_.listen.tls;
    membership.channel.insecure_lab = options_.listen.insecure_lab;
    router_ = std::make_unique<RouterClient>(std::move(parts), membership);
  }
  follower_->Start();
  if (options_.experts == "all") {
    RETURN_IF_ERROR(
        follower_->Follow({.epoch = 0,
                           .phase = HostingPhase::kLoad,
                           .experts = AllExperts(identity_->hosting)}));
  }
  return router_ == nullptr ? absl::OkStatus() : router_->Start();
}

HostingRunner::Options ExpertServer::FollowerOptions() const {
  return {.limits = identity_->hosting,
          .num_threads = std::clamp(pool_.NumThreads() / 2, 1, kMaxLoadThreads),
          .read = [this](const router::ExpertKey& key) {
            return ReadExpert(*checkpoint_, kernels_, key);
          }};
}

void ExpertServer::OnHosted(const HostingReport& report) {
  const uint64_t num_held = report.holdings.size();
  if (report.status.ok()) {
    logger_.Info("hosting",
                 {{"epoch", report.order_epoch},
                  {"experts", num_held},
                  {"loaded", static_cast<int64_t>(report.num_loaded)},
                  {"seconds", absl::ToDoubleSeconds(report.load_time)}});
    if (report.num_loaded > 0) expert_metrics_->ObserveLoad(report.load_time);
    SetReady(true);
  } else {
    logger_.Error("hosting_failed",
                  {{"epoch", report.order_epoch},
                   {"experts", num_held},
                   {"reason", std::string(report.status.message())}});
  }
  if (router_ != nullptr) router_->Report(report);
  // Without a router nobody will order anything else.
  if (!report.status.ok() && router_ == nullptr) OnFailure(report.status);
}

void ExpertServer::SetReady(bool ready) {
  MutexLock lock(ready_mutex_);
  draining_ = draining_ || !ready;
  grpc_->SetReady(!draining_);
}

void ExpertServer::OnFailure(const absl::Status& status) {
  if (failed_.exchange(true)) return;
  if (options_.on_failure) options_.on_failure(status);
}

void ExpertServer::Drain(absl::Duration limit) {
  SetReady(false);
  logger_.Info("draining");
  if (router_ != nullptr) {
    const bool released = router_->Leave(limit);
    logger_.Info("left", {{"released", released}});
  }
  Stop();
}

void ExpertServer::Stop() {
  if (router_ != nullptr) router_->Stop();
  if (grpc_ != nullptr) grpc_->Shutdown(kGrpcGrace);
  if (follower_ != nullptr) follower_->Stop();
  if (plane_ != nullptr) plane_->Stop();
  // Ends the scrapes, which read from all of these.
  metrics_ = nullptr;
}

ExpertServer::~ExpertServer() { Stop(); }

}  // namespace mesh::expert
