// SPDX-License-Identifier: Apache-2.0
#include "attention-node/attention_server.h"

#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "attention-node/attention_metrics.h"
#include "attention-node/attention_service.h"
#include "attention-node/dispatch_metrics.h"
#include "attention-node/expert_dialer_client.h"
#include "attention-node/identity_proto.h"
#include "attention-node/router_client.h"
#include "attention-node/weights_loading.h"
#include "core/num_threads.h"
#include "core/status_macros.h"
#include "model/model_digest.h"
#include "model/moe_layers.h"
#include "service/listen_flags.h"
#include "service/process_stats.h"
#include "service/role.h"

namespace mesh::attention {
namespace {

constexpr int kNeededDescriptors = 512;
constexpr absl::Duration kGrpcGrace = absl::Seconds(1);
constexpr absl::Duration kSecond = absl::Seconds(1);
constexpr absl::Duration kLoadingInterval = absl::Seconds(2);
constexpr absl::Duration kDrainPoll = absl::Milliseconds(20);

uint64_t DrawIncarnation() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

absl::Status CheckOptions(const AttentionServer::Options& options) {
  if (options.model_dir.empty()) {
    return absl::InvalidArgumentError("--model: name the model's folder");
  }
  if (options.router_address.empty()) {
    return absl::InvalidArgumentError("--router: give the router's address");
  }
  if (options.max_step_tokens < options.max_running) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--max-step-tokens is ", options.max_step_tokens,
        ", expected at least --max-running, ", options.max_running));
  }
  return absl::OkStatus();
}

}  // namespace

void AttentionServer::AddFlags(service::Flags& flags, Options* options) {
  if (options->name.empty()) {
    options->name = absl::StrCat("attention-", getpid());
  }
  flags.Add("name", &options->name, "name in the mesh, unique in its role");
  service::AddListenFlags(flags, &options->listen);
  flags.Add("router", &options->router_address, "host:port of the router");
  flags.Add("model", &options->model_dir, "folder of the model");
  flags.Add("kernels", &options->kernels,
            "auto, avx512, avx2, scalar or reference");
  flags.Add("threads", &options->num_threads,
            "threads that compute; 0: one per core", 0, 1024);
  flags.Add("kv-memory", &options->kv_memory_mib,
            "MiB of memory for the KV cache; 0: for max-running full "
            "contexts, at most 1024");
  flags.Add("max-step-tokens", &options->max_step_tokens,
            "rows of one step, prompts and answers together", 1, 1 << 16);
  flags.Add("max-running", &options->max_running,
            "streams that hold KV memory at the same time", 1, 1 << 14);
  flags.Add("prefix-cache", &options->prefix_cache,
            "whether streams share what they compute for equal beginnings");
  flags.Add("transport", &options->data_plane.transport,
            "data plane: ucx or in-process");
  flags.Add("device", &options->data_plane.ucx.device,
            "network devices of the data plane, comma-separated");
  flags.Add("orphan-wait", &options->orphan_wait,
            "how long streams wait for experts that no node answers for");
  flags.Add("hedge-after", &options->hedge_after,
            "silence after which rows go to another expert node too");
}

AttentionServer::AttentionServer(const Options& options,
                                 const kernels::Kernels& kernels,
                                 const service::Logger& logger)
    : options_(options),
      kernels_(kernels),
      logger_(logger),
      pool_(NumThreads(options.num_threads)),
      identity_(std::make_shared<AttentionIdentity>()),
      control_(clock_) {}

absl::StatusOr<std::unique_ptr<AttentionServer>> AttentionServer::Start(
    const Options& options, const service::Logger& logger) {
  RETURN_IF_ERROR(CheckOptions(options));
  RETURN_IF_ERROR(service::RaiseDescriptorLimit(kNeededDescriptors));
  ASSIGN_OR_RETURN(const kernels::Kernels kernels,
                   kernels::Kernels::Select(options.kernels));
  std::unique_ptr<AttentionServer> server(
      new AttentionServer(options, kernels, logger));
  RETURN_IF_ERROR(server->OpenModel());
  RETURN_IF_ERROR(server->OpenDataPlane());
  RETURN_IF_ERROR(server->Listen());
  RETURN_IF_ERROR(server->Join());
  RETURN_IF_ERROR(server->LoadEngine());
  server->StartEngine();
  return server;
}

NodeEngine::Options AttentionServer::EngineOptions() const {
  NodeEngine::Options engine;
  engine.kv_bytes = static_cast<size_t>(options_.kv_memory_mib) << 20;
  engine.limits.max_step_tokens = options_.max_step_tokens;
  engine.limits.max_running_sequences = options_.max_running;
  engine.limits.max_step_logits = 2 * options_.max_running;
  engine.prefix_cache = options_.prefix_cache;
  return engine;
}

absl::Status AttentionServer::OpenModel() {
  ASSIGN_OR_RETURN(checkpoint_, model::Checkpoint::Open(options_.model_dir));
  for (const std::string& warning : checkpoint_->Warnings()) {
    logger_.Warning("checkpoint", {{"warning", warning}});
  }
  const model::DeepseekConfig& config = checkpoint_->Config();
  weight_bytes_ = AttentionBytes(*checkpoint_);
  RETURN_IF_ERROR(CheckMemory(
      weight_bytes_, NodeEngine::KvBytes(EngineOptions(), config, kernels_),
      service::AvailableMemoryBytes()));
  identity_->name = options_.name;
  identity_->incarnation = DrawIncarnation();
  identity_->model_digest = model::ModelDigest(*checkpoint_);
  identity_->numerics = std::string(kernels_.NumericsName());
  identity_->transport = options_.data_plane.transport;
  identity_->wire = WireLimitsOf(config, kernels_);
  identity_->moe_layers = model::MoeLayers(config);
  return absl::OkStatus();
}

absl::Status AttentionServer::OpenDataPlane() {
  ASSIGN_OR_RETURN(metrics_,
                   service::Metrics::Start(
                       options_.listen.metrics_listen,
                       std::string(RoleName(service::Role::kAttention))));
  attention_metrics_ = std::make_unique<AttentionMetrics>(metrics_->Registry());
  dispatch_metrics_ = std::make_unique<DispatchMetrics>(metrics_->Registry());
  router::DataPlaneOptions data_plane = options_.data_plane;
  if (data_plane.name.empty()) data_plane.name = options_.name;
  ASSIGN_OR_RETURN(router::DataPlaneEnd end, router::OpenDataPlane(data_plane));
  transport_ = std::move(end.transport);
  identity_->local_address = end.local_address;
  identity_->wire.max_frame_bytes = transport_->MaxFrameBytes();

  ExpertDialer::Options dialer;
  dialer.layers = identity_->moe_layers;
  dialer.num_experts = identity_->wire.num_experts;
  dialer.dial = [this](const ExpertPeer& peer, ExpertDialer::Dialled done) {
    dialer_client_->Dial(peer, std::move(done));
  };
  dialer.adopted = [this](uint64_t epoch) { router_->OnAdopted(epoch); };
  dialer.wake = [this] { control_.Wake(); };
  dialer_ = std::make_unique<ExpertDialer>(dialer, clock_, logger_);

  router::Dispatcher::Options dispatch;
  dispatch.wire = identity_->wire;
  dispatch.incarnation = identity_->incarnation;
  // A frozen node with the only copy is as good as none until its lease is over
  // and another has loaded its experts.
  dispatch.deadline = options_.orphan_wait;
  dispatch.orphan_wait = options_.orphan_wait;
  dispatch.hedge_after = options_.hedge_after;
  // A node that is late once is spared until it answers: whoever waits for a
  // frozen node in one layer does not wait in the next.
  dispatch.suspect_after = 1;
  ASSIGN_OR_RETURN(
      links_, ExpertLinks::Create(dispatch, *transport_, clock_, *dialer_));
  return absl::OkStatus();
}

absl::Status AttentionServer::Listen() {
  GatewayConnection::Options connections;
  connections.max_streams = options_.max_running;
  connections_ = std::make_unique<GatewayConnections>(connections, clock_);
  service_ = std::make_unique<AttentionService>(
      AttentionService::Parts{.connections = *connections_,
                              .links = *links_,
                              .dialer = *dialer_,
                              .data_plane = *transport_,
                              .logger = logger_});
  service::GrpcServer::Options grpc;
  grpc.listen = options_.listen;
  grpc.services = {service_.get()};
  grpc.service_names = {"mesh.attention.v1.AttentionService"};
  ASSIGN_OR_RETURN(grpc_, service::GrpcServer::Start(grpc));
  identity_->grpc_address = grpc_->AdvertisedAddress();
  identity_->metrics_address = metrics_->Address();
  service_->SetIdentity(identity_);
  logger_.Info("listening", {{"address", identity_->grpc_address},
                             {"metrics", identity_->metrics_address},
                             {"model", identity_->model_digest.ToHex()},
                             {"numerics", identity_->numerics}});
  return absl::OkStatus();
}

absl::Status AttentionServer::Join() {
  const service::ChannelOptions channel{
      .tls = options_.listen.tls, .insecure_lab = options_.listen.insecure_lab};
  dialer_client_ = std::make_unique<ExpertDialerClient>(
      ExpertDialerClient::Options{.channel = channel,
                                  .handshake = HandshakeOf(*identity_),
                                  .node = NodeInfoOf(*identity_),
                                  .wire = identity_->wire,
                                  .transport = identity_->transport,
                                  .local_address = identity_->local_address});
  router_ = std::make_unique<RouterClient>(
      RouterClient::Parts{
          .identity = identity_,
          .connections = connections_.get(),
          .links = links_.get(),
          .dialer = dialer_.get(),
          .data_plane = transport_.get(),
          .logger = &logger_,
          .on_refused = [this](const absl::Status& s) { OnFailure(s); }},
      router::MembershipClient::Options{
          .router_address = options_.router_address, .channel = channel});
  loading_since_ = clock_.Now();
  router_->SetActivity(DescribeLoading(0, weight_bytes_, absl::ZeroDuration()));
  RETURN_IF_ERROR(router_->Start());
  control_.Start([this] { return Control(); });
  return absl::OkStatus();
}

absl::Status AttentionServer::LoadEngine() {
  const absl::Time start = clock_.Now();
  ASSIGN_OR_RETURN(auto weights,
                   LoadAttentionWeights(*checkpoint_, kernels_, pool_));
  ASSIGN_OR_RETURN(engine_, NodeEngine::Create(EngineOptions(),
                                               {.checkpoint = *checkpoint_,
                                                .kernels = kernels_,
                                                .weights = std::move(weights),
                                                .pool = pool_,
                                                .dispatch = links_->Dispatch(),
                                                .clock = clock_}));
  const double seconds = absl::ToDoubleSeconds(clock_.Now() - start);
  attention_metrics_->SetLoadSeconds(seconds);
  logger_.Info("weights_loaded", {{"seconds", seconds}});
  return absl::OkStatus();
}

void AttentionServer::StartEngine() {
  Engine& engine = engine_->Engine();
  EngineThread::Hooks hooks;
  hooks.before_step = [this] {
    links_->BeforeStep();
    step_began_ = clock_.Now();
  };
  hooks.after_step = [this, &engine](bool more) {
    connections_->Flush();
    OnStep(engine.Counters());
    links_->AfterStep(more);
  };
  hooks.idle = [this] { links_->Idle(); };
  engine.SetWaker([this] { links_->Wake(); });
  engine_thread_ = std::make_unique<EngineThread>(engine, std::move(hooks));
  connections_->Open(engine, engine_->Model());
  engine_thread_->Start();
  router_->SetActivity("waiting for expert nodes");
  loaded_ = true;
  control_.Wake();
}

void AttentionServer::OnStep(const EngineCounters& engine) {
  attention_metrics_->OnStep(clock_.Now() - step_began_, engine);
  if (engine.steps == last_steps_) return;
  last_steps_ = engine.steps;
  dispatch_metrics_->OnStep(engine_->Transformer().GateTime(),
                            links_->DispatchTimes());
}

absl::Time AttentionServer::Control() {
  const absl::Time now = clock_.Now();
  if (!loaded_) {
    ShowLoading(now);
    return now + kLoadingInterval;
  }
  const absl::Time dial = dialer_->Run(*links_);
  SeeReady();
  connections_->Tick();
  if (now - second_at_ >= kSecond) {
    second_at_ = now;
    attention_metrics_->Update(connections_->GetLoad().counters);
    dispatch_metrics_->Update(links_->GetSnapshot(), dialer_->Peers(),
                              identity_->transport, transport_->Stats().lane);
  }
  const absl::Duration heartbeat =
      connections_->ConnectionOptions().heartbeat_interval;
  const absl::Time tick =
      connections_->IsEmpty()
          ? second_at_ + kSecond
          : now + (connections_->IsIdle() ? heartbeat : heartbeat / 2);
  return std::min({dial, tick, second_at_ + kSecond});
}

void AttentionServer::ShowLoading(absl::Time now) {
  const std::string text = DescribeLoading(checkpoint_->BytesRead(),
                                           weight_bytes_, now - loading_since_);
  router_->SetActivity(text);
  if (now - loading_shown_at_ < kLoadingInterval) return;
  loading_shown_at_ = now;
  logger_.Info("loading", {{"progress", text}});
}

void AttentionServer::SeeReady() {
  if (ready_ || draining_ || !dialer_->Ready()) return;
  ready_ = true;
  connections_->SetRefusal(absl::OkStatus());
  router_->SetActivity("");
  router_->SetReady(true);
  grpc_->SetReady(true);
  logger_.Info("ready");
}

void AttentionServer::OnFailure(const absl::Status& status) {
  if (failed_.exchange(true)) return;
  logger_.Error("failed", {{"error", std::string(status.message())}});
  if (options_.on_failure) options_.on_failure(status);
}

void AttentionServer::Drain(absl::Duration limit) {
  if (draining_.exchange(true)) return;
  logger_.Info("draining");
  grpc_->SetReady(false);
  router_->SetReady(false);
  router_->SetActivity("draining");
  connections_->Drain();
  router_->Leave();
  const absl::Time end = clock_.Now() + limit;
  while (!connections_->IsIdle() && clock_.Now() < end) {
    absl::SleepFor(kDrainPoll);
  }
  Stop();
}

AttentionServer::~AttentionServer() { Stop(); }

// The reverse of the start; may be called half-way through it, and twice.
void AttentionServer::Stop() {
  if (router_ != nullptr) router_->Stop();
  control_.Stop();
  if (connections_ != nullptr) connections_->Close();
  if (links_ != nullptr) {
    links_->Abort(absl::UnavailableError("the attention node is stopping"));
  }
  if (engine_thread_ != nullptr) engine_thread_->Stop();
  if (links_ != nullptr) links_->Stop();
  if (grpc_ != nullptr) grpc_->Shutdown(kGrpcGrace);
  dialer_client_ = nullptr;
}

}  // namespace mesh::attention
