// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_port/grpc_port.h"

#include <unistd.h>

#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/mutex.h"
#include "core/status_macros.h"
#include "gateway/grpc_port/guarded_connection.h"
#include "gateway/net/acceptor.h"
#include "gateway/net/tls_context.h"

namespace mesh::gateway {
namespace {

// Nobody can foresee it, and so take the names of socket pairs.
std::string DrawUnique() {
  std::random_device device;
  return absl::StrCat(absl::Hex(device()), absl::Hex(device()));
}

}  // namespace

class GuardedGrpcPort::State {
 public:
  State(const Options& options, service::ConnectionAcceptor& server,
        const Clock& clock)
      : context_{.options = options,
                 .server = server,
                 .clock = clock,
                 .unique = DrawUnique()} {}

  ~State() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Start();
  void AwaitNone(absl::Duration limit) const;

  Acceptor& GetAcceptor() { return *acceptor_; }
  const PortCounters& Counters() const { return context_.counters; }

 private:
  void OnConnection(AcceptedConnection connection);

  PortContext context_;
  std::shared_ptr<boost::asio::ssl::context> tls_;  // null: plaintext
  // Destroying it destroys the connections, which use what is above.
  boost::asio::io_context io_{1};
  std::unique_ptr<Acceptor> acceptor_;
  std::thread thread_;
};

absl::Status GuardedGrpcPort::State::Start() {
  const Options& options = context_.options;
  if (options.tls.Enabled()) {
    ASSIGN_OR_RETURN(tls_,
                     MakeTlsContext({.tls = options.tls,
                                     .require_client_certificate =
                                         options.require_client_certificate,
                                     .protocol = "h2"}));
  }
  ASSIGN_OR_RETURN(
      acceptor_,
      Acceptor::Start(io_,
                      {.listen = options.listen,
                       .tls = options.tls,
                       .insecure_lab = options.insecure_lab,
                       .limits = options.connections},
                      context_.clock, [this](AcceptedConnection connection) {
                        OnConnection(std::move(connection));
                      }));
  thread_ = std::thread([this] {
    const auto keep_running = boost::asio::make_work_guard(io_);
    io_.run();
  });
  return absl::OkStatus();
}

void GuardedGrpcPort::State::OnConnection(AcceptedConnection connection) {
  if (tls_ == nullptr) {
    std::make_shared<GuardedConnection<PlainClient>>(
        std::move(connection.socket), std::move(connection.address),
        std::move(connection.permit), context_)
        ->Start();
    return;
  }
  std::make_shared<GuardedConnection<TlsClient>>(
      TlsClient(std::move(connection.socket), *tls_),
      std::move(connection.address), std::move(connection.permit), context_)
      ->Start();
}

void GuardedGrpcPort::State::AwaitNone(absl::Duration limit) const {
  const absl::Time deadline = absl::Now() + limit;
  while (acceptor_->NumConnections() > 0 && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
  }
}

absl::StatusOr<std::unique_ptr<GuardedGrpcPort>> GuardedGrpcPort::Start(
    const Options& options, service::ConnectionAcceptor& server,
    const Clock& clock) {
  auto state = std::make_unique<State>(options, server, clock);
  RETURN_IF_ERROR(state->Start());
  return std::unique_ptr<GuardedGrpcPort>(
      new GuardedGrpcPort(std::move(state)));
}

GuardedGrpcPort::GuardedGrpcPort(std::unique_ptr<State> state)
    : state_(std::move(state)) {}

GuardedGrpcPort::~GuardedGrpcPort() = default;

const std::string& GuardedGrpcPort::Address() const {
  return state_->GetAcceptor().Address();
}

void GuardedGrpcPort::StopAccepting() { state_->GetAcceptor().Stop(); }

void GuardedGrpcPort::AwaitNone(absl::Duration limit) {
  state_->AwaitNone(limit);
}

uint64_t GuardedGrpcPort::NumAccepted() const {
  return state_->GetAcceptor().Counters().accepted;
}

uint64_t GuardedGrpcPort::NumRefused() const {
  const AcceptCounters& counters = state_->GetAcceptor().Counters();
  return counters.refused_total + counters.refused_per_address +
         counters.refused_rate + counters.refused_descriptors;
}

uint64_t GuardedGrpcPort::NumClosed(CloseReason reason) const {
  return state_->Counters().NumClosed(reason);
}

int GuardedGrpcPort::NumConnections() const {
  return state_->GetAcceptor().NumConnections();
}

}  // namespace mesh::gateway
