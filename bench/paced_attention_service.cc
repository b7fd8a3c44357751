// SPDX-License-Identifier: Apache-2.0
#include "bench/paced_attention_service.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/check.h"

namespace mesh::bench {

namespace attn = mesh::attention::v1;

class PacedAttentionNode::Connection final
    : public grpc::ServerBidiReactor<attn::ServeRequest, attn::ServeResponse> {
 public:
  explicit Connection(PacedAttentionNode& node) : node_(node) {}

  void Begin(std::shared_ptr<Connection> self) {
    self_ = std::move(self);
    StartRead(&request_);
  }

  void Send(attn::ServeResponse response) {
    MutexLock lock(mutex_);
    if (finished_) return;
    outgoing_.push_back(std::move(response));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

 private:
  void OnReadDone(bool ok) override {
    if (ok) {
      node_.OnMessage(self_, request_);
      StartRead(&request_);
      return;
    }
    node_.OnGone(this);
    MutexLock lock(mutex_);
    finished_ = true;
    Finish(grpc::Status::OK);
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    if (!ok || finished_) return;
    outgoing_.pop_front();
    if (!outgoing_.empty()) StartWrite(&outgoing_.front());
  }
  void OnDone() override {
    const std::shared_ptr<Connection> last = std::move(self_);
  }

  PacedAttentionNode& node_;
  std::shared_ptr<Connection> self_;
  attn::ServeRequest request_;
  Mutex mutex_;
  std::deque<attn::ServeResponse> outgoing_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

class PacedAttentionNode::Service final
    : public attn::AttentionService::CallbackService {
 public:
  explicit Service(PacedAttentionNode& node) : node_(node) {}

  grpc::ServerBidiReactor<attn::ServeRequest, attn::ServeResponse>* Serve(
      grpc::CallbackServerContext* /*context*/) override {
    auto connection = std::make_shared<Connection>(node_);
    connection->Begin(connection);
    return connection.get();
  }

 private:
  PacedAttentionNode& node_;
};

PacedAttentionNode::PacedAttentionNode(Options options)
    : options_(std::move(options)) {
  service_ = std::make_unique<Service>(*this);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port_);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  MESH_CHECK(server_ != nullptr);
  thread_ = std::thread([this] { Loop(); });
}

PacedAttentionNode::~PacedAttentionNode() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

std::string PacedAttentionNode::Address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

int PacedAttentionNode::NumStreams() const {
  MutexLock lock(mutex_);
  return static_cast<int>(streams_.size());
}

std::vector<absl::Duration> PacedAttentionNode::Lateness() const {
  MutexLock lock(mutex_);
  return lateness_;
}

void PacedAttentionNode::OnMessage(
    const std::shared_ptr<Connection>& connection,
    const attn::ServeRequest& request) {
  MutexLock lock(mutex_);
  if (request.has_hello()) {
    connections_.push_back(connection);
    connection->Send(MakeHello(request.hello()));
  } else if (request.has_submit()) {
    const attn::Submit& submit = request.submit();
    streams_.push_back({.connection = connection,
                        .request = submit.request(),
                        .attempt = submit.attempt(),
                        .seed = submit.sampling().seed(),
                        .num_tokens = submit.emitted_size(),
                        .max_tokens = submit.sampling().max_tokens()});
  } else if (request.has_cancel()) {
    std::erase_if(streams_, [&](const Stream& stream) {
      return stream.connection == connection &&
             stream.request == request.cancel().request();
    });
  }
}

void PacedAttentionNode::OnGone(const Connection* connection) {
  MutexLock lock(mutex_);
  std::erase_if(streams_, [&](const Stream& stream) {
    return stream.connection.get() == connection;
  });
  std::erase_if(connections_,
                [&](const auto& held) { return held.get() == connection; });
}

attn::ServeResponse PacedAttentionNode::MakeHello(
    const attn::GatewayHello& hello) const {
  attn::ServeResponse response;
  attn::AttentionHello& answer = *response.mutable_hello();
  *answer.mutable_handshake() = hello.handshake();
  answer.mutable_handshake()->set_model_digest(std::string(16, 'd'));
  answer.mutable_handshake()->set_numerics_class("paced");
  answer.mutable_node()->set_name(options_.name);
  answer.mutable_node()->set_role(common::v1::ROLE_ATTENTION);
  answer.set_vocab_size(2048);
  answer.set_max_positions(2048);
  answer.add_routing_table_versions(0);
  answer.set_max_streams(static_cast<uint32_t>(options_.slots));
  answer.set_heartbeat_interval_ms(
      static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.step)));
  return response;
}

attn::EngineLoad PacedAttentionNode::MakeLoad() const {
  attn::EngineLoad load;
  load.set_streams_running(static_cast<uint32_t>(streams_.size()));
  return load;
}

void PacedAttentionNode::Loop() {
  absl::Time next = absl::Now() + options_.first_step + options_.step;
  MutexLock lock(mutex_);
  while (!stopping_) {
    const absl::Duration left = next - absl::Now();
    if (left > absl::ZeroDuration()) {
      changed_.WaitFor(mutex_, left);
      continue;
    }
    lateness_.push_back(-left);
    // After a pause of the machine it does not catch up.
    next = std::max(next, absl::Now() - options_.step) + options_.step;
    Step();
  }
}

void PacedAttentionNode::Step() {
  for (const auto& connection : connections_) StepConnection(connection);
  std::erase_if(streams_, [](const Stream& stream) {
    return stream.num_tokens >= stream.max_tokens;
  });
}

void PacedAttentionNode::StepConnection(
    const std::shared_ptr<Connection>& connection) {
  attn::ServeResponse response;
  const size_t num_running =
      std::min(streams_.size(), static_cast<size_t>(options_.slots));
  for (size_t i = 0; i < num_running; ++i) {
    Stream& stream = streams_[i];
    if (stream.connection != connection) continue;
    if (options_.on_token) options_.on_token(stream.seed, stream.num_tokens);
    attn::StreamResult& result = *response.mutable_step()->add_streams();
    result.set_request(stream.request);
    result.set_attempt(stream.attempt);
    attn::Token& token = *result.add_tokens();
    token.set_index(static_cast<uint32_t>(stream.num_tokens));
    token.set_token(options_.token);
    if (++stream.num_tokens < stream.max_tokens) continue;
    result.mutable_finished()->set_reason(attn::FINISH_REASON_LENGTH);
  }
  if (response.has_step()) {
    *response.mutable_step()->mutable_load() = MakeLoad();
  } else {
    *response.mutable_heartbeat()->mutable_load() = MakeLoad();
  }
  connection->Send(std::move(response));
}

}  // namespace mesh::bench
