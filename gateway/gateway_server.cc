// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_server.h"

#include <atomic>
#include <random>
#include <utility>

#include "core/clock.h"
#include "core/status_macros.h"
#include "gateway/attention_pool.h"
#include "gateway/gateway_metrics.h"
#include "gateway/inference_service.h"
#include "gateway/router_client.h"
#include "gateway/running_requests.h"
#include "gateway/served_model.h"
#include "gateway/stream_router.h"
#include "gateway/ticker.h"
#include "service/grpc_server.h"
#include "service/listen_flags.h"
#include "service/metrics.h"
#include "service/version.h"

namespace mesh::gateway {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);
// For calls that are being cancelled.
constexpr absl::Duration kLastGrace = absl::Seconds(5);

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
  State(const Options& its_options, ServedModel its_model,
        std::unique_ptr<service::Metrics> its_exposer,
        const service::Logger& its_logger)
      : options(its_options),
        logger(its_logger),
        model(std::move(its_model)),
        exposer(std::move(its_exposer)),
        self(MakeSelf(options, exposer->Address())),
        metrics(exposer->Registry()),
        streams(StreamOptions(options, model.card, metrics), clock),
        pool(std::make_unique<AttentionPool>(
            PoolOptions(options, model.card, self), streams, clock, logger)),
        service({.model = model,
                 .streams = streams,
                 .running = running,
                 .metrics = metrics,
                 .logger = logger,
                 .clock = clock,
                 .default_deadline = options.default_deadline}) {}

  void Tick() {
    pool->Tick();
    streams.Tick();
    running.ExpireDue(clock.Now());
    const StreamRouter::Counts counts = streams.GetCounts();
    metrics.SetGauges(running.NumRunning(), counts.streams, counts.nodes);
    const bool now_ready = counts.nodes > 0 && !draining;
    if (now_ready != ready.exchange(now_ready)) server->SetReady(now_ready);
  }

  const Options options;
  const service::Logger& logger;
  const RealClock clock;
  const ServedModel model;
  const std::unique_ptr<service::Metrics> exposer;
  common::v1::NodeInfo self;
  GatewayMetrics metrics;
  StreamRouter streams;
  std::unique_ptr<AttentionPool> pool;
  RunningRequests running;
  InferenceService service;
  std::atomic<bool> ready = false;
  std::atomic<bool> draining = false;
  std::unique_ptr<service::GrpcServer> server;
  std::unique_ptr<RouterClient> router;
  Ticker ticker;
};

void GatewayServer::AddFlags(service::Flags& flags, Options* options) {
  service::AddListenFlags(flags, &options->listen);
  flags.Add("name", &options->name, "unique in the mesh among gateways");
  flags.Add("router", &options->router_address, "HOST:PORT of the router");
  flags.Add("model", &options->model_dir,
            "model folder; only its tokenizer and configuration are read");
  flags.Add("chat-template", &options->chat_template,
            "for models whose own template is not known");
  flags.Add("max-requests", &options->max_requests, "requests at the same time",
            1, 1000000);
  flags.Add("heartbeat-timeout", &options->heartbeat_timeout,
            "an attention node that is silent for longer is gone");
}

GatewayServer::GatewayServer(std::unique_ptr<State> state)
    : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<GatewayServer>> GatewayServer::Start(
    const Options& options, const service::Logger& logger) {
  if (options.heartbeat_timeout < absl::Milliseconds(100)) {
    return absl::InvalidArgumentError(
        "--heartbeat-timeout: expected 100ms or more");
  }
  ASSIGN_OR_RETURN(ServedModel model,
                   LoadServedModel(options.model_dir, options.chat_template));
  ASSIGN_OR_RETURN(
      std::unique_ptr<service::Metrics> exposer,
      service::Metrics::Start(options.listen.metrics_listen, "gateway"));
  auto state = std::make_unique<State>(options, std::move(model),
                                       std::move(exposer), logger);
  ASSIGN_OR_RETURN(
      state->server,
      service::GrpcServer::Start(
          {.listen = options.listen,
           .services = {&state->service},
           .service_names = {v1::InferenceService::service_full_name()}}));
  State& started = *state;
  // From here on the destructor stops what runs.
  std::unique_ptr<GatewayServer> server(new GatewayServer(std::move(state)));
  started.self.set_grpc_address(started.server->AdvertisedAddress());
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
  state_->server->Shutdown(absl::ZeroDuration());
  state_->running.AwaitNone(kLastGrace);
  state_->ticker.Stop();
  state_->pool.reset();
}

const std::string& GatewayServer::Address() const {
  return state_->server->AdvertisedAddress();
}

int GatewayServer::NumAttentionNodes() const {
  return state_->streams.GetCounts().nodes;
}

void GatewayServer::Drain(absl::Duration limit) {
  state_->draining = true;
  state_->server->SetReady(false);
  state_->running.StartDraining();
  state_->logger.Info("draining",
                      {{"requests", int64_t{state_->running.NumRunning()}}});
  if (!state_->running.AwaitNone(limit)) {
    state_->logger.Warning(
        "requests cut off",
        {{"requests", int64_t{state_->running.NumRunning()}}});
  }
  if (state_->router != nullptr) state_->router->Stop();
  state_->server->Shutdown(absl::ZeroDuration());
}

}  // namespace mesh::gateway
