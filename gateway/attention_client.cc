// SPDX-License-Identifier: Apache-2.0
#include "gateway/attention_client.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/attention_proto.h"
#include "service/grpc_status.h"
#include "service/handshake_proto.h"

namespace mesh::gateway {
namespace {

namespace attn = mesh::attention::v1;

// A node that does not read so much is as good as gone.
constexpr size_t kMaxOutgoingBytes = size_t{64} << 20;

// Attention nodes without our streams send heartbeats so much less often
// (attention-node/gateway_connection.cc).
constexpr int kQuietPatience = 4;

}  // namespace

absl::StatusOr<std::shared_ptr<AttentionClient>> AttentionClient::Connect(
    const Options& options, Delegate& delegate, const Clock& clock) {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                   service::MakeChannel(options.address, options.channel));
  std::shared_ptr<AttentionClient> client(
      new AttentionClient(options, delegate, clock));
  client->stub_ = attn::AttentionService::NewStub(channel);
  client->stub_->async()->Serve(&client->context_, client.get());
  client->AddHold();  // given up by Release()
  {
    MutexLock lock(client->mutex_);
    attn::ServeRequest hello;
    *hello.mutable_hello()->mutable_handshake() = service::MakeHandshake();
    *hello.mutable_hello()->mutable_node() = options.self;
    client->EnqueueLocked(std::move(hello));
  }
  client->StartRead(&client->response_);
  client->StartCall();
  return client;
}

AttentionClient::AttentionClient(const Options& options, Delegate& delegate,
                                 const Clock& clock)
    : options_(options),
      delegate_(delegate),
      clock_(clock),
      last_sent_(clock.Now()),
      last_heard_(clock.Now()),
      silence_limit_(options.connect_timeout),
      heartbeat_interval_(absl::InfiniteDuration()) {}

void AttentionClient::Submit(const Submission& submission) {
  attn::ServeRequest request;
  *request.mutable_submit() = ToProto(submission);
  MutexLock lock(mutex_);
  // The silence of a node that had nothing to do does not count.
  if (running_.empty()) last_heard_ = clock_.Now();
  running_.emplace(submission.request, submission.attempt);
  EnqueueLocked(std::move(request));
}

void AttentionClient::Forget(RequestId request, uint32_t attempt) {
  MutexLock lock(mutex_);
  running_.erase({request, attempt});
}

int AttentionClient::Patience() const {
  return heartbeat_interval_ < absl::InfiniteDuration() && running_.empty()
             ? kQuietPatience
             : 1;
}

void AttentionClient::Cancel(RequestId request, uint32_t attempt) {
  Forget(request, attempt);
  attn::ServeRequest message;
  message.mutable_cancel()->set_request(request.value);
  message.mutable_cancel()->set_attempt(attempt);
  Enqueue(std::move(message));
}

void AttentionClient::Enqueue(attn::ServeRequest request) {
  MutexLock lock(mutex_);
  EnqueueLocked(std::move(request));
}

void AttentionClient::EnqueueLocked(attn::ServeRequest request) {
  if (released_) return;
  outgoing_bytes_ += request.ByteSizeLong();
  outgoing_.push_back(std::move(request));
  last_sent_ = clock_.Now();
  if (!writing_) WriteNext();
}

void AttentionClient::WriteNext() {
  if (outgoing_.empty()) return;
  writing_ = true;
  StartWrite(&outgoing_.front());
}

void AttentionClient::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  writing_ = false;
  if (!ok || released_) return;  // OnDone tells why
  outgoing_bytes_ -= outgoing_.front().ByteSizeLong();
  outgoing_.pop_front();
  WriteNext();
}

void AttentionClient::OnReadDone(bool ok) {
  {
    MutexLock lock(mutex_);
    if (!ok) Release();
    if (released_) return;
    last_heard_ = clock_.Now();
  }
  HandleMessage();
  // Holds this very read's place until here, so it may start the next.
  StartRead(&response_);
}

void AttentionClient::HandleMessage() {
  using Kind = attn::ServeResponse::MessageCase;
  const Kind kind = response_.message_case();
  if (!is_ready_) {
    HandleHello();
  } else if (kind == Kind::kStep) {
    StepResults results = FromProto(response_.step());
    for (const StreamResult& stream : results.streams) {
      if (stream.finished) Forget(stream.request, stream.attempt);
    }
    delegate_.OnStep(*this, std::move(results));
  } else if (kind == Kind::kHeartbeat) {
    delegate_.OnLoad(*this, FromProto(response_.heartbeat().load()));
  } else if (kind == Kind::kRefused) {
    const Refusal refusal = FromProto(response_.refused());
    Forget(refusal.request, refusal.attempt);
    delegate_.OnRefused(*this, refusal);
  }
}

void AttentionClient::HandleHello() {
  absl::Status status = service::CheckHandshake(service::MakeHandshake(),
                                                response_.hello().handshake(),
                                                "the attention node");
  auto hello = FromProto(response_.hello());
  if (status.ok()) status = hello.status();
  if (!status.ok()) {
    Close(status);
    return;
  }
  is_ready_ = true;
  {
    MutexLock lock(mutex_);
    silence_limit_ = options_.heartbeat_timeout;
    heartbeat_interval_ =
        std::min(hello->heartbeat_interval, options_.heartbeat_timeout / 4);
  }
  status = delegate_.OnReady(shared_from_this(), *std::move(hello));
  if (!status.ok()) Close(status);
}

void AttentionClient::Tick(bool was_late) {
  absl::Status broken;
  {
    MutexLock lock(mutex_);
    if (released_) return;
    const absl::Time now = clock_.Now();
    if (was_late) last_heard_ = now;
    if (now - last_heard_ > silence_limit_ * Patience()) {
      broken = absl::UnavailableError(
          absl::StrCat("silent for ", absl::FormatDuration(now - last_heard_)));
    } else if (outgoing_bytes_ > kMaxOutgoingBytes) {
      broken = absl::UnavailableError("does not read what it is sent");
    } else if (now - last_sent_ >= heartbeat_interval_ * Patience() &&
               outgoing_.empty()) {
      attn::ServeRequest request;
      request.mutable_heartbeat()->set_sequence(++num_heartbeats_);
      EnqueueLocked(std::move(request));
    }
  }
  if (!broken.ok()) Close(broken);
}

void AttentionClient::Close(const absl::Status& reason) {
  bool report = false;
  {
    MutexLock lock(mutex_);
    if (done_) return;
    report = !reported_;
    reported_ = true;
    Release();
  }
  context_.TryCancel();
  if (report) delegate_.OnClosed(*this, reason);
}

void AttentionClient::Release() {
  if (released_) return;
  released_ = true;
  RemoveHold();
}

void AttentionClient::OnDone(const grpc::Status& status) {
  bool report = false;
  {
    MutexLock lock(mutex_);
    report = !reported_;
    reported_ = true;
  }
  if (report) {
    delegate_.OnClosed(*this, status.ok()
                                  ? absl::UnavailableError("ended the stream")
                                  : service::FromGrpc(status));
  }
  MutexLock lock(mutex_);
  done_ = true;
  done_changed_.NotifyAll();
}

bool AttentionClient::Done() const {
  MutexLock lock(mutex_);
  return done_;
}

void AttentionClient::AwaitDone() const {
  MutexLock lock(mutex_);
  while (!done_) done_changed_.Wait(mutex_);
}

}  // namespace mesh::gateway
