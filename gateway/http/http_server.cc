// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_server.h"

#include <utility>

#include "core/status_macros.h"
#include "gateway/http/http_environment.h"
#include "gateway/net/acceptor.h"
#include "gateway/net/tls_context.h"

namespace mesh::gateway {

class HttpServer::State {
 public:
  State(const HttpServerOptions& options, HttpHandler& handler,
        const Clock& clock)
      : environment_(options, handler, clock) {}
  ~State() { Stop(); }

  absl::Status Listen();
  void Stop();
  void Drain(absl::Duration limit);

  const Acceptor& Door() const { return *acceptor_; }
  const HttpCounters& Counters() const { return environment_.counters; }

 private:
  HttpEnvironment environment_;
  std::unique_ptr<Acceptor> acceptor_;
  bool stopped_ = false;
};

absl::Status HttpServer::State::Listen() {
  const HttpServerOptions& options = environment_.options;
  if (options.tls.Enabled()) {
    ASSIGN_OR_RETURN(
        environment_.tls,
        MakeTlsContext(
            {options.tls, options.require_client_certificate, "http/1.1"}));
  }
  ASSIGN_OR_RETURN(
      acceptor_, Acceptor::Start(
                     environment_.io->Context(),
                     {options.listen, options.flag, options.tls,
                      options.insecure_lab, options.connections},
                     environment_.clock, [this](AcceptedConnection connection) {
                       ServeHttp(environment_, std::move(connection));
                     }));
  environment_.workers.Start();
  environment_.io->Start();
  return absl::OkStatus();
}

void HttpServer::State::Stop() {
  if (acceptor_ == nullptr || std::exchange(stopped_, true)) return;
  acceptor_->Stop();
  environment_.io->Post([this] {
    for (HttpOutput* connection : environment_.connections) {
      connection->Close();
    }
  });
  environment_.workers.Stop();
  environment_.io->Stop();
}

void HttpServer::State::Drain(absl::Duration limit) {
  acceptor_->Stop();
  environment_.io->Post([this] {
    environment_.is_draining = true;
    environment_.pending.NoMoreWillBegin();
  });
  environment_.pending.WaitForNone(limit);
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const HttpServerOptions& options, HttpHandler& handler,
    const Clock& clock) {
  auto state = std::make_unique<State>(options, handler, clock);
  RETURN_IF_ERROR(state->Listen());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

HttpServer::HttpServer(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
HttpServer::~HttpServer() = default;

const std::string& HttpServer::Address() const {
  return state_->Door().Address();
}
const HttpCounters& HttpServer::Counters() const { return state_->Counters(); }
const AcceptCounters& HttpServer::Accepted() const {
  return state_->Door().Counters();
}
int HttpServer::NumConnections() const {
  return state_->Door().NumConnections();
}
void HttpServer::Drain(absl::Duration limit) { state_->Drain(limit); }
void HttpServer::Stop() { state_->Stop(); }

}  // namespace mesh::gateway
