// SPDX-License-Identifier: Apache-2.0
#include "tests/gateway/fake_attention_service.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/check.h"

namespace mesh::gateway {

namespace attn = mesh::attention::v1;

namespace {

void SetFinished(attn::FinishReason reason, const absl::Status& status,
                 attn::StreamResult* result) {
  result->mutable_finished()->set_reason(reason);
  result->mutable_finished()->set_code(status.raw_code());
  result->mutable_finished()->set_message(std::string(status.message()));
}

}  // namespace

class FakeAttentionNode::Connection final
    : public grpc::ServerBidiReactor<attn::ServeRequest, attn::ServeResponse> {
 public:
  explicit Connection(FakeAttentionNode& node) : node_(node) {}

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
    if (!ok) {
      node_.OnGone(this);
      FinishOnce();
      return;
    }
    node_.OnMessage(self_, request_);
    StartRead(&request_);
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    if (!ok || finished_) return;
    outgoing_.pop_front();
    if (!outgoing_.empty()) StartWrite(&outgoing_.front());
  }
  void OnDone() override {
    node_.OnGone(this);
    const std::shared_ptr<Connection> last = std::move(self_);
  }
  void FinishOnce() {
    MutexLock lock(mutex_);
    if (finished_) return;
    finished_ = true;
    Finish(grpc::Status::OK);
  }

  FakeAttentionNode& node_;
  std::shared_ptr<Connection> self_;
  attn::ServeRequest request_;
  Mutex mutex_;
  std::deque<attn::ServeResponse> outgoing_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

class FakeAttentionNode::Service final
    : public attn::AttentionService::CallbackService {
 public:
  explicit Service(FakeAttentionNode& node) : node_(node) {}

  grpc::ServerBidiReactor<attn::ServeRequest, attn::ServeResponse>* Serve(
      grpc::CallbackServerContext* /*context*/) override {
    auto connection = std::make_shared<Connection>(node_);
    connection->Begin(connection);
    return connection.get();
  }

 private:
  FakeAttentionNode& node_;
};

FakeAttentionNode::FakeAttentionNode(Options options)
    : options_(std::move(options)), last_heartbeat_(absl::Now()) {
  service_ = std::make_unique<Service>(*this);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", options_.port),
                           grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  MESH_CHECK(server_ != nullptr);
  thread_ = std::thread([this] { Loop(); });
}

FakeAttentionNode::~FakeAttentionNode() {
  Kill();
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void FakeAttentionNode::Kill() {
  if (server_ == nullptr) return;
  {
    MutexLock lock(mutex_);
    frozen_ = true;
  }
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

std::string FakeAttentionNode::Address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

void FakeAttentionNode::HoldAt(int index) {
  MutexLock lock(mutex_);
  hold_at_ = index;
}

void FakeAttentionNode::Freeze() {
  MutexLock lock(mutex_);
  frozen_ = true;
}

void FakeAttentionNode::Thaw() {
  MutexLock lock(mutex_);
  frozen_ = false;
}

void FakeAttentionNode::RefuseWith(const absl::Status& status) {
  MutexLock lock(mutex_);
  refusal_ = status;
}

void FakeAttentionNode::FailStreams(const absl::Status& status) {
  MutexLock lock(mutex_);
  failure_ = status;
}

void FakeAttentionNode::RepeatTokens() {
  MutexLock lock(mutex_);
  repeat_tokens_ = true;
}

void FakeAttentionNode::SkipToken(int index) {
  MutexLock lock(mutex_);
  skip_at_ = index;
}

void FakeAttentionNode::PadTokens(int num_logprobs) {
  MutexLock lock(mutex_);
  padding_ = num_logprobs;
}

void FakeAttentionNode::SetDraining(bool draining) {
  MutexLock lock(mutex_);
  draining_ = draining;
}

void FakeAttentionNode::SendStale(uint64_t request, uint32_t attempt,
                                  int index) {
  attn::ServeResponse response;
  MutexLock lock(mutex_);
  *response.mutable_step()->mutable_load() = Load();
  attn::StreamResult* result = response.mutable_step()->add_streams();
  result->set_request(request);
  result->set_attempt(attempt);
  attn::Token* token = result->add_tokens();
  token->set_index(static_cast<uint32_t>(index));
  token->set_token(7);
  SetFinished(attn::FINISH_REASON_STOP, absl::OkStatus(), result);
  for (const auto& connection : connections_) connection->Send(response);
}

int FakeAttentionNode::NumSubmitted() const {
  MutexLock lock(mutex_);
  return num_submitted_;
}

int FakeAttentionNode::NumCancelled() const {
  MutexLock lock(mutex_);
  return num_cancelled_;
}

int FakeAttentionNode::NumRunning() const {
  MutexLock lock(mutex_);
  return static_cast<int>(streams_.size());
}

std::optional<attn::Submit> FakeAttentionNode::LastSubmit() const {
  MutexLock lock(mutex_);
  return last_submit_;
}

bool FakeAttentionNode::Await(
    const std::function<bool(const FakeAttentionNode&)>& condition) const {
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (!condition(*this)) {
    if (absl::Now() > deadline) return false;
    MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, absl::Milliseconds(5));
  }
  return true;
}

void FakeAttentionNode::OnMessage(const std::shared_ptr<Connection>& connection,
                                  const attn::ServeRequest& request) {
  MutexLock lock(mutex_);
  if (frozen_) return;
  switch (request.message_case()) {
    case attn::ServeRequest::kHello: {
      attn::ServeResponse response;
      attn::AttentionHello& hello = *response.mutable_hello();
      *hello.mutable_handshake() = request.hello().handshake();
      hello.mutable_handshake()->set_model_digest(options_.model_digest);
      hello.mutable_handshake()->set_numerics_class(options_.numerics);
      hello.mutable_node()->set_name(options_.name);
      hello.mutable_node()->set_role(common::v1::ROLE_ATTENTION);
      hello.set_vocab_size(options_.vocab_size);
      hello.set_max_positions(options_.max_positions);
      hello.add_routing_table_versions(0);
      hello.set_max_streams(options_.max_streams);
      hello.set_heartbeat_interval_ms(
          static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.heartbeat)));
      connection->Send(std::move(response));
      connections_.push_back(connection);
      break;
    }
    case attn::ServeRequest::kSubmit:
      OnSubmit(connection, request.submit());
      break;
    case attn::ServeRequest::kCancel:
      OnCancelStream(connection.get(), request.cancel().request());
      break;
    default:
      break;
  }
  changed_.NotifyAll();
}

void FakeAttentionNode::OnSubmit(const std::shared_ptr<Connection>& connection,
                                 const attn::Submit& submit) {
  ++num_submitted_;
  last_submit_ = submit;
  if (!refusal_.ok()) {
    attn::ServeResponse response;
    attn::Refused& refused = *response.mutable_refused();
    refused.set_request(submit.request());
    refused.set_attempt(submit.attempt());
    refused.set_code(refusal_.raw_code());
    refused.set_message(std::string(refusal_.message()));
    connection->Send(std::move(response));
    return;
  }
  streams_.push_back(
      {.connection = connection,
       .submit = submit,
       .prompt = {submit.prompt().begin(), submit.prompt().end()},
       .emitted = {submit.emitted().begin(), submit.emitted().end()}});
}

void FakeAttentionNode::OnCancelStream(const Connection* connection,
                                       uint64_t request) {
  num_cancelled_ +=
      static_cast<int>(std::erase_if(streams_, [&](const Stream& stream) {
        return stream.connection.get() == connection &&
               stream.submit.request() == request;
      }));
}

void FakeAttentionNode::OnGone(const Connection* connection) {
  MutexLock lock(mutex_);
  std::erase_if(connections_,
                [&](const auto& held) { return held.get() == connection; });
  std::erase_if(streams_, [&](const Stream& stream) {
    return stream.connection.get() == connection;
  });
  changed_.NotifyAll();
}

void FakeAttentionNode::Loop() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    changed_.WaitFor(mutex_, options_.step);
    if (!frozen_) Step();
  }
}

attn::EngineLoad FakeAttentionNode::Load() const {
  attn::EngineLoad load;
  load.set_streams_running(static_cast<uint32_t>(streams_.size()));
  load.set_draining(draining_);
  return load;
}

void FakeAttentionNode::Step() {
  const bool heartbeat = absl::Now() - last_heartbeat_ >= options_.heartbeat;
  if (heartbeat) last_heartbeat_ = absl::Now();
  for (const auto& connection : connections_) {
    attn::ServeResponse response;
    for (size_t i = 0; i < streams_.size();) {
      if (streams_[i].connection != connection) {
        ++i;
        continue;
      }
      attn::StreamResult result;
      const bool ended = StepStream(streams_[i], &result);
      if (result.tokens_size() > 0 || result.has_finished() ||
          result.prompt_logprobs_size() > 0) {
        *response.mutable_step()->add_streams() = std::move(result);
      }
      if (ended) {
        streams_.erase(streams_.begin() + static_cast<ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
    if (response.has_step()) {
      *response.mutable_step()->mutable_load() = Load();
      connection->Send(std::move(response));
    } else if (heartbeat) {
      *response.mutable_heartbeat()->mutable_load() = Load();
      connection->Send(std::move(response));
    }
  }
  failure_ = absl::OkStatus();
}

bool FakeAttentionNode::StepStream(Stream& stream, attn::StreamResult* result) {
  const attn::Sampling& sampling = stream.submit.sampling();
  result->set_request(stream.submit.request());
  result->set_attempt(stream.submit.attempt());
  result->set_cached_tokens(cached_tokens_);
  if (!failure_.ok()) {
    SetFinished(attn::FINISH_REASON_FAILED, failure_, result);
    return true;
  }
  const int index = static_cast<int>(stream.emitted.size());
  if (sampling.prompt_logprobs() && index == 0 &&
      stream.next_prompt_logprob < static_cast<int>(stream.prompt.size())) {
    attn::PromptLogprob* logprob = result->add_prompt_logprobs();
    logprob->set_position(static_cast<uint32_t>(stream.next_prompt_logprob));
    logprob->set_token(
        stream.prompt[static_cast<size_t>(stream.next_prompt_logprob++)]);
    logprob->set_logprob(-0.5F);
    return false;
  }
  if (index >= hold_at_) return false;
  const TokenId id =
      options_.model(stream.prompt, stream.emitted, sampling.seed());
  stream.emitted.push_back(id);
  if (index == skip_at_) {
    skip_at_ = -1;
  } else {
    for (int copy = 0; copy < (repeat_tokens_ ? 2 : 1); ++copy) {
      attn::Token* token = result->add_tokens();
      token->set_index(static_cast<uint32_t>(index));
      token->set_token(id);
      if (sampling.num_logprobs() >= 0) token->set_logprob(-0.25F);
      const int num_top = std::max(sampling.num_logprobs(), padding_);
      for (int i = 0; i < num_top; ++i) {
        attn::TokenLogprob* top = token->add_top();
        top->set_token(i == 0 ? id : i);
        top->set_logprob(-0.25F - static_cast<float>(i));
      }
    }
  }
  if (id == options_.eos && !sampling.ignore_eos()) {
    SetFinished(attn::FINISH_REASON_STOP, absl::OkStatus(), result);
    return true;
  }
  if (index + 1 < sampling.max_tokens()) return false;
  SetFinished(attn::FINISH_REASON_LENGTH, absl::OkStatus(), result);
  return true;
}

}  // namespace mesh::gateway
