// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_server.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

#include "core/clock.h"
#include "core/status_macros.h"
#include "gateway/admission/admission.h"
#include "gateway/admission/tenant_registry.h"
#include "gateway/attention_pool.h"
#include "gateway/gateway_metrics.h"
#include "gateway/grpc_door.h"
#include "gateway/http_door.h"
#include "gateway/ollama/ollama_model.h"
#include "gateway/router_client.h"
#include "gateway/running_requests.h"
#include "gateway/served_model.h"
#include "gateway/stream_router.h"
#include "gateway/ticker.h"
#include "service/listen_options.h"
#include "service/metrics.h"
#include "service/process_stats.h"
#include "service/version.h"

namespace mesh::gateway {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);
// For calls that are being cancelled.
constexpr absl::Duration kLastGrace = absl::Seconds(5);

constexpr int kNeededDescriptors = 512;

double UsedShare(uint64_t free, uint64_t total) {
  if (total == 0) return 0;
  return 1 - static_cast<double>(free) / static_cast<double>(total);
}

uint64_t DrawWord() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

common::v1::NodeInfo MakeSelf(const GatewayServer::Options& options,
                              const std::string& metrics_address) {
  common::v1::NodeInfo self;
  self.set_name(options.name);
  self.set_role(common::v1::ROLE_GATEWAY);
  self.set_incarnation(DrawWord());
  self.set_metrics_address(metrics_address);
  self.set_version(std::string(service::Version()));
  return self;
}

StreamRouter::Options StreamOptions(const GatewayServer::Options& options,
                                    const ModelCard& card,
                                    GatewayMetrics& metrics) {
  return {.vocab_size = card.vocab_size,
          .eos_token_ids = card.eos_token_ids,
          .max_streams = options.max_requests,
          .max_wait = options.max_wait,
          .first_id = DrawWord(),
          .on_migration = [&metrics](absl::string_view reason) {
            metrics.CountMigration(reason);
          }};
}

Admission::Options AdmissionOptions(const GatewayServer::Options& options) {
  Admission::Options admission;
  admission.max_waiting.count = static_cast<size_t>(options.max_requests);
  return admission;
}

AttentionPool::Options PoolOptions(const GatewayServer::Options& options,
                                   const ModelCard& card,
                                   common::v1::NodeInfo self) {
  AttentionPool::Options pool;
  pool.client.channel = {.tls = options.listen.tls,
                         .insecure_lab = options.listen.insecure_lab};
  pool.client.self = std::move(self);
  pool.client.heartbeat_timeout = options.heartbeat_timeout;
  pool.vocab_size = card.vocab_size;
  return pool;
}

}  // namespace

// In the order in which they depend on each other; the destructor of the server
// stops what has threads, last first.
struct GatewayServer::State {
  State(const Options& its_options, std::unique_ptr<const Clock> its_clock,
        ServedModel its_model, std::unique_ptr<service::Metrics> its_exposer,
        std::unique_ptr<TenantRegistry> its_tenants,
        const service::Logger& its_logger)
      : options(its_options),
        logger(its_logger),
        owned_clock(std::move(its_clock)),
        clock(*owned_clock),
        model(std::move(its_model)),
        exposer(std::move(its_exposer)),
        self(MakeSelf(options, exposer->Address())),
        metrics(exposer->Registry(), model.card.name,
                !options.metrics_compat.empty()),
        tenants(std::move(its_tenants)),
        admission(AdmissionOptions(options), clock),
        streams(StreamOptions(options, model.card, metrics), clock),
        pool(std::make_unique<AttentionPool>(
            PoolOptions(options, model.card, self), streams, clock, logger)),
        context{.model = model,
                .streams = streams,
                .admission = admission,
                .running = running,
                .metrics = metrics,
                .logger = logger,
                .clock = clock,
                .default_deadline = options.default_deadline} {}

  absl::Status OpenDoors();

  void Tick() {
    pool->Tick();
    streams.Tick();
    running.ExpireDue(clock.Now());
    const StreamRouter::Counts counts = streams.GetCounts();
    admission.SetCapacity(std::min(counts.max_streams, options.max_requests));
    admission.Tick();
    tenants->Tick();
    if (http != nullptr) http->Tick();
    Export(counts);
    const bool now_ready = counts.nodes > 0 && !draining;
    if (now_ready != ready.exchange(now_ready)) grpc->SetReady(now_ready);
  }

  void Export(const StreamRouter::Counts& counts) {
    const AdmissionStats stats = admission.Stats();
    metrics.SetGauges(
        {.requests_running = running.NumRunning(),
         .requests_waiting = static_cast<int>(stats.waiting.count),
         .streams_open = counts.streams,
         .stream_capacity = stats.capacity,
         .attention_nodes = counts.nodes,
         .kv_usage = UsedShare(counts.kv_blocks_free, counts.kv_blocks_total)});
    for (size_t i = 0; i < kNumShedReasons; ++i) {
      metrics.SetShed(ShedReasonName(static_cast<ShedReason>(i)),
                      stats.num_shed[i]);
    }
    grpc->Export(metrics);
    if (http != nullptr) http->Export(metrics);
  }

  const Options options;
  const service::Logger& logger;
  const std::unique_ptr<const Clock> owned_clock;
  const Clock& clock;
  const ServedModel model;
  const std::unique_ptr<service::Metrics> exposer;
  common::v1::NodeInfo self;
  GatewayMetrics metrics;
  const std::unique_ptr<TenantRegistry> tenants;
  Admission admission;
  StreamRouter streams;
  std::unique_ptr<AttentionPool> pool;
  RunningRequests running;
  const GenerationContext context;
  std::atomic<bool> ready = false;
  std::atomic<bool> draining = false;
  std::unique_ptr<GrpcDoor> grpc;
  std::string advertised;
  std::unique_ptr<HttpDoor> http;  // null: there is none
  std::unique_ptr<RouterClient> router;
  Ticker ticker;
};

absl::Status GatewayServer::State::OpenDoors() {
  const bool has_keys = tenants->HasKeys();
  ASSIGN_OR_RETURN(grpc, GrpcDoor::Start(GrpcPortOptions(options, has_keys),
                                         context, *tenants));
  ASSIGN_OR_RETURN(advertised,
                   service::AdvertisedAddress(options.listen, grpc->Address()));
  if (options.http_listen.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(ModelCatalog catalog,
                   MakeModelCatalog(options, model.card.name));
  ASSIGN_OR_RETURN(OllamaModelFacts facts,
                   ReadOllamaModelFacts(options.model_dir));
  ASSIGN_OR_RETURN(
      http,
      HttpDoor::Start({.server = HttpOptions(options, has_keys),
                       .catalog = std::move(catalog),
                       .facts = std::move(facts),
                       .version = std::string(service::Version()),
                       .is_ready = [this] { return ready.load(); },
                       .metrics_text = [this] { return exposer->Text(); }},
                      context, *tenants));
  return absl::OkStatus();
}

GatewayServer::GatewayServer(std::unique_ptr<State> state)
    : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<GatewayServer>> GatewayServer::Start(
    const Options& options, const service::Logger& logger) {
  RETURN_IF_ERROR(CheckGatewayOptions(options));
  RETURN_IF_ERROR(service::RaiseDescriptorLimit(kNeededDescriptors));
  auto clock = std::make_unique<const RealClock>();
  ASSIGN_OR_RETURN(ServedModel model,
                   LoadServedModel(options.model_dir, options.chat_template));
  ASSIGN_OR_RETURN(
      std::unique_ptr<service::Metrics> exposer,
      service::Metrics::Start(options.listen.metrics_listen, "gateway"));
  ASSIGN_OR_RETURN(std::unique_ptr<TenantRegistry> tenants,
                   TenantRegistry::Create({.keys_file = options.api_keys,
                                           .pepper_file = options.api_pepper},
                                          logger, *clock));
  auto state =
      std::make_unique<State>(options, std::move(clock), std::move(model),
                              std::move(exposer), std::move(tenants), logger);
  State& started = *state;
  // From here on the destructor stops what runs.
  std::unique_ptr<GatewayServer> server(new GatewayServer(std::move(state)));
  RETURN_IF_ERROR(started.OpenDoors());
  started.self.set_grpc_address(started.advertised);
  std::vector<AttentionAddress> known;
  for (const KnownNode& node : options.attention_nodes) {
    known.push_back({node.name, node.address});
  }
  started.pool->SetNodes(known);
  started.ticker.Start(kTick, [&started] { started.Tick(); });
  if (options.router_address.empty()) return server;
  started.router = std::make_unique<RouterClient>(
      RouterClient::Options{
          .membership = {.router_address = options.router_address,
                         .channel = {.tls = options.listen.tls,
                                     .insecure_lab =
                                         options.listen.insecure_lab}},
          .self = started.self,
          .is_ready = [&started] { return started.ready.load(); },
          .is_draining = [&started] { return started.draining.load(); }},
      *started.pool, logger);
  RETURN_IF_ERROR(started.router->Start());
  return server;
}

GatewayServer::~GatewayServer() {
  if (state_->router != nullptr) state_->router->Stop();
  state_->running.StartDraining();
  state_->admission.StartDraining();
  if (state_->grpc != nullptr) state_->grpc->Stop();
  if (state_->http != nullptr) state_->http->Stop();
  state_->running.AwaitNone(kLastGrace);
  state_->ticker.Stop();
  state_->pool.reset();
}

const std::string& GatewayServer::Address() const { return state_->advertised; }

std::string GatewayServer::HttpAddress() const {
  return state_->http == nullptr ? "" : state_->http->Address();
}

int GatewayServer::NumAttentionNodes() const {
  return state_->streams.GetCounts().nodes;
}

void GatewayServer::Drain(absl::Duration limit) {
  const absl::Time deadline = state_->clock.Now() + limit;
  state_->draining = true;
  state_->ready = false;
  state_->grpc->SetReady(false);
  state_->running.StartDraining();
  state_->admission.StartDraining();
  state_->logger.Info("draining",
                      {{"requests", int64_t{state_->running.NumRunning()}}});
  if (!state_->running.AwaitNone(limit)) {
    state_->logger.Warning(
        "requests cut off",
        {{"requests", int64_t{state_->running.NumRunning()}}});
  }
  if (state_->router != nullptr) state_->router->Stop();
  if (state_->http != nullptr) {
    state_->http->Drain(
        std::max(absl::ZeroDuration(), deadline - state_->clock.Now()));
  }
  state_->grpc->Stop();
}

}  // namespace mesh::gateway
