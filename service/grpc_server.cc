// SPDX-License-Identifier: Apache-2.0
#include "service/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/mutex.h"
#include "core/status_macros.h"
#include "service/grpc_health.h"
#include "service/host_port.h"

namespace mesh::service {
namespace {

constexpr char kLiveness[] = "liveness";
constexpr char kReadiness[] = "readiness";
constexpr int kKeepaliveMs = 10000;
constexpr int kKeepaliveTimeoutMs = 5000;
constexpr int kLeastPingIntervalMs = 5000;  // a client's keepalive is 10 s
constexpr int kMaxMetadataBytes = 16 << 10;
// Of a stream of an external connection, where gRPC does not measure.
constexpr int kExternalWindowBytes = 256 << 10;
constexpr size_t kMaxMemoryBytes = size_t{1} << 30;
// Only reflection is served by threads that wait; our services use callbacks.
constexpr int kMaxSyncThreads = 8;

// For all servers of the process to come; gRPC has no other way.
void EnableHealthAndReflection() {
  static const bool enabled = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    DescribeHealthService();
    return true;
  }();
  static_cast<void>(enabled);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> Credentials(
    const TlsOptions& tls) {
  if (!tls.Enabled()) return grpc::InsecureServerCredentials();
  ASSIGN_OR_RETURN(TlsPem pem, ReadTls(tls));
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = std::move(pem.ca);
  options.pem_key_cert_pairs.push_back(
      {std::move(pem.key), std::move(pem.cert)});
  return grpc::SslServerCredentials(options);
}

void SetLimits(const GrpcServer::Options& options,
               grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(options.max_message_bytes);
  builder->SetMaxSendMessageSize(options.max_message_bytes);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                              options.max_concurrent_streams);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  grpc::ResourceQuota quota("server");
  quota.Resize(kMaxMemoryBytes).SetMaxThreads(kMaxSyncThreads);
  builder->SetResourceQuota(quota);
  builder->SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
}

void SetConnections(grpc::ServerBuilder* builder) {
  // A second server on the port is an error, not a silent half of the calls.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                              kKeepaliveTimeoutMs);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder->AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      kLeastPingIntervalMs);
}

// Without measuring the bandwidth gRPC keeps frames at 16 KiB, and sends no
// pings whose answers somebody in between would have to tell from a flood.
void SetExternalConnections(grpc::ServerBuilder* builder) {
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES,
                              kExternalWindowBytes);
}

// gRPC leaks the descriptor of a connection that comes after the shutdown.
class ExternalConnections final : public ConnectionAcceptor {
 public:
  explicit ExternalConnections(grpc::ServerBuilder& builder)
      : acceptor_(builder.experimental().AddExternalConnectionAcceptor(
            grpc::ServerBuilder::experimental_type::ExternalConnectionType::
                FROM_FD,
            grpc::InsecureServerCredentials())) {}

  void Take(int fd) override {
    const MutexLock lock(mutex_);
    if (closed_) {
      close(fd);
      return;
    }
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters
        connection;
    connection.fd = fd;
    acceptor_->HandleNewConnection(&connection);
  }

  void Close() {
    const MutexLock lock(mutex_);
    closed_ = true;
  }

 private:
  Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  const std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor>
      acceptor_;
};

// host:port with the port that was taken; a unix: address as it is.
absl::StatusOr<std::string> RealAddress(const std::string& listen, int port) {
  if (absl::StartsWith(listen, "unix:")) return listen;
  ASSIGN_OR_RETURN(HostPort address, ParseHostPort(listen));
  address.port = port;
  return address.ToString();
}

}  // namespace

struct GrpcServer::State {
  // Takes its part in the builder, or listens there.
  absl::Status Listen(const Options& options, grpc::ServerBuilder* builder);

  std::unique_ptr<ExternalConnections> external;
  int port = 0;
  std::unique_ptr<grpc::Server> server;
  std::vector<std::string> readiness_names;
  Mutex mutex;
  bool shut_down ABSL_GUARDED_BY(mutex) = false;
};

absl::Status GrpcServer::State::Listen(const Options& options,
                                       grpc::ServerBuilder* builder) {
  if (options.external_connections) {
    SetExternalConnections(builder);
    external = std::make_unique<ExternalConnections>(*builder);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckListen(options.listen));
  RETURN_IF_ERROR(CheckTls(options.listen.tls));
  const std::string& listen = options.listen.listen;
  if (const auto address = ParseHostPort(listen); address.ok()) {
    RETURN_IF_ERROR(CheckBindable(*address, "--listen"));
  }
  ASSIGN_OR_RETURN(const auto credentials, Credentials(options.listen.tls));
  builder->AddListeningPort(listen, credentials, &port);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const Options& options) {
  const std::string& listen = options.listen.listen;
  EnableHealthAndReflection();
  grpc::ServerBuilder builder;
  SetLimits(options, &builder);
  SetConnections(&builder);
  auto state = std::make_unique<State>();
  RETURN_IF_ERROR(state->Listen(options, &builder));
  for (grpc::Service* service : options.services) {
    builder.RegisterService(service);
  }
  state->server = builder.BuildAndStart();
  if (state->server == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("address ", listen, ": gRPC cannot listen there",
                     options.listen.tls.Enabled()
                         ? ", or the certificate and key do not belong together"
                         : "; choose another with --listen"));
  }
  state->readiness_names = options.service_names;
  state->readiness_names.insert(state->readiness_names.end(), {"", kReadiness});
  std::unique_ptr<GrpcServer> server(new GrpcServer(std::move(state)));
  server->SetReady(false);
  server->state_->server->GetHealthCheckService()->SetServingStatus(kLiveness,
                                                                    true);
  if (options.external_connections) return server;
  const int port = server->state_->port;
  ASSIGN_OR_RETURN(server->address_, RealAddress(listen, port));
  ASSIGN_OR_RETURN(server->advertised_, service::AdvertisedAddress(
                                            options.listen, server->address_));
  return server;
}

GrpcServer::GrpcServer(std::unique_ptr<State> state)
    : state_(std::move(state)) {}

GrpcServer::~GrpcServer() { Shutdown(absl::ZeroDuration()); }

ConnectionAcceptor& GrpcServer::Connections() {
  MESH_CHECK(state_->external != nullptr);
  return *state_->external;
}

void GrpcServer::SetReady(bool ready) {
  grpc::HealthCheckServiceInterface* health =
      state_->server->GetHealthCheckService();
  for (const std::string& name : state_->readiness_names) {
    health->SetServingStatus(name, ready);
  }
}

void GrpcServer::Shutdown(absl::Duration grace) {
  {
    const MutexLock lock(state_->mutex);
    if (state_->shut_down) return;
    state_->shut_down = true;
  }
  SetReady(false);
  if (state_->external != nullptr) state_->external->Close();
  state_->server->Shutdown(std::chrono::system_clock::now() +
                           absl::ToChronoMilliseconds(grace));
  state_->server->Wait();
}

}  // namespace mesh::service
