// SPDX-License-Identifier: Apache-2.0
#include "router/client/membership_client.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "core/status_macros.h"
#include "router/client/join_stream_client.h"

namespace mesh::router {
namespace {

constexpr absl::Duration kFirstBackOff = absl::Milliseconds(100);
constexpr absl::Duration kLastBackOff = absl::Seconds(2);
// Of a call, until the welcome: covers the wait for a router that is away.
constexpr absl::Duration kJoinLimit = absl::Seconds(10);
constexpr int kSilentIntervals = 3;

bool IsFinal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kFailedPrecondition ||
         status.code() == absl::StatusCode::kPermissionDenied ||
         status.code() == absl::StatusCode::kInvalidArgument;
}

// What a stream said. A stream is told by its number: what an abandoned one
// still says is dropped.
struct Event {
  uint64_t stream = 0;
  std::optional<v1::JoinResponse> message = {};
  std::optional<absl::Status> done = {};
};

// From gRPC's threads to the client's, which outlives its streams. Thread-safe.
class Inbox {
 public:
  void Post(Event event) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const MutexLock lock(mutex_);
      events_.push_back(std::move(event));
    }
    changed_.NotifyAll();
  }
  void OpenStream() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    ++open_streams_;
  }
  void CloseStream(Event event) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const MutexLock lock(mutex_);
      events_.push_back(std::move(event));
      --open_streams_;
    }
    changed_.NotifyAll();
  }
  // Waits until gRPC has let go of every stream; they are cancelled.
  void AwaitStreams() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    while (open_streams_ > 0) changed_.Wait(mutex_);
  }
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const MutexLock lock(mutex_);
      stopped_ = true;
    }
    changed_.NotifyAll();
  }
  bool Stopped() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    return stopped_;
  }
  // The next event, or nothing when `wake_at` or a stop has come.
  std::optional<Event> Next(const Clock& clock, absl::Time wake_at)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(mutex_);
    while (!stopped_ && events_.empty()) {
      const absl::Duration left = wake_at - clock.Now();
      if (left <= absl::ZeroDuration()) return std::nullopt;
      changed_.WaitFor(mutex_, left);
    }
    if (stopped_) return std::nullopt;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  int open_streams_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

// The thread owns everything that is not guarded.
struct MembershipClient::State {
  State(const Options& client_options, Delegate& client_delegate,
        const service::Logger& client_logger)
      : options(client_options),
        delegate(client_delegate),
        logger(client_logger) {}

  void Run() ABSL_LOCKS_EXCLUDED(mutex);
  void Send(v1::JoinRequest request) ABSL_LOCKS_EXCLUDED(mutex);
  // Makes `next` the stream, and cancels the one before.
  void SetStream(std::shared_ptr<JoinStream> next) ABSL_LOCKS_EXCLUDED(mutex);
  void Connect();
  void Handle(Event event);
  void HandleMessage(const v1::JoinResponse& message);
  void HandleWelcome(const v1::Welcome& welcome);
  void OnTimer();
  void SendHeartbeat();
  void Disconnect(const absl::Status& reason);
  void SeeEpoch(uint64_t epoch) { SeeTerm(epoch >> 32); }
  void SeeTerm(uint64_t term) { seen_term = std::max(seen_term, term); }

  const Options options;
  Delegate& delegate;
  const service::Logger& logger;
  const RealClock clock;
  std::unique_ptr<v1::MembershipService::Stub> stub;
  std::thread thread;

  const std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();

  uint64_t stream_number = 0;
  bool connected = false;  // there is a stream
  bool welcomed = false;
  uint32_t node_id = 0;
  uint64_t seen_term = 0;
  uint64_t heartbeats = 0;
  absl::Duration interval = absl::Milliseconds(500);
  absl::Duration back_off = kFirstBackOff;
  absl::Time last_heard;
  // When OnTimer() has something to do.
  absl::Time wake_at;

  Mutex mutex;
  std::shared_ptr<JoinStream> stream ABSL_GUARDED_BY(mutex);
};

MembershipClient::MembershipClient(const Options& options, Delegate& delegate,
                                   const service::Logger& logger)
    : state_(std::make_unique<State>(options, delegate, logger)) {}

MembershipClient::~MembershipClient() { Stop(); }

absl::Status MembershipClient::Start() {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                   service::MakeChannel(state_->options.router_address,
                                        state_->options.channel));
  state_->stub = v1::MembershipService::NewStub(channel);
  state_->wake_at = state_->clock.Now();
  state_->thread = std::thread([this] { state_->Run(); });
  return absl::OkStatus();
}

void MembershipClient::Stop() {
  state_->inbox->Stop();
  if (state_->thread.joinable()) state_->thread.join();
}

void MembershipClient::Send(v1::JoinRequest request) {
  state_->Send(std::move(request));
}

void MembershipClient::State::Send(v1::JoinRequest request) {
  std::shared_ptr<JoinStream> current;
  {
    const MutexLock lock(mutex);
    current = stream;
  }
  if (current != nullptr) current->Send(std::move(request));
}

void MembershipClient::State::SetStream(std::shared_ptr<JoinStream> next) {
  connected = next != nullptr;
  {
    const MutexLock lock(mutex);
    std::swap(stream, next);
  }
  if (next != nullptr) next->Cancel();
}

void MembershipClient::State::Run() {
  while (!inbox->Stopped()) {
    std::optional<Event> event = inbox->Next(clock, wake_at);
    if (event.has_value()) {
      Handle(*std::move(event));
    } else if (!inbox->Stopped()) {
      OnTimer();
    }
  }
  SetStream(nullptr);
  inbox->AwaitStreams();
}

void MembershipClient::State::OnTimer() {
  const absl::Time now = clock.Now();
  if (!connected) return Connect();
  if (!welcomed) {
    return Disconnect(absl::DeadlineExceededError(
        "the router did not answer the join; see whether it runs"));
  }
  if (now - last_heard >= kSilentIntervals * interval) {
    return Disconnect(
        absl::UnavailableError("the router stopped answering heartbeats"));
  }
  SendHeartbeat();
  wake_at = now + interval;
}

void MembershipClient::State::Connect() {
  const uint64_t number = ++stream_number;
  auto next = std::make_shared<JoinStream>(JoinStream::Callbacks{
      .on_message =
          [box = inbox, number](v1::JoinResponse message) {
            box->Post({.stream = number, .message = std::move(message)});
          },
      .on_done =
          [box = inbox, number](absl::Status status) {
            box->CloseStream({.stream = number, .done = std::move(status)});
          }});
  // Before the hello is made: what changes after it is queued behind it.
  SetStream(next);
  v1::JoinRequest request;
  v1::JoinHello& hello = *request.mutable_hello();
  hello = delegate.MakeHello();
  hello.set_seen_term(seen_term);
  hello.mutable_node()->set_node_id(node_id);
  welcomed = false;
  wake_at = clock.Now() + kJoinLimit;
  inbox->OpenStream();
  next->Start(*stub, std::move(request));
}

void MembershipClient::State::Handle(Event event) {
  if (event.stream != stream_number) return;
  if (event.message.has_value()) return HandleMessage(*event.message);
  Disconnect(event.done->ok() ? absl::UnavailableError("the router hung up")
                              : *event.done);
}

void MembershipClient::State::HandleMessage(const v1::JoinResponse& message) {
  last_heard = clock.Now();
  switch (message.message_case()) {
    case v1::JoinResponse::kWelcome:
      return HandleWelcome(message.welcome());
    case v1::JoinResponse::kPlacement:
      SeeEpoch(message.placement().epoch());
      return delegate.OnPlacement(message.placement());
    case v1::JoinResponse::kHosting:
      SeeEpoch(message.hosting().epoch());
      return delegate.OnHosting(message.hosting());
    case v1::JoinResponse::kAttentionNodes:
      return delegate.OnAttentionNodes(message.attention_nodes());
    case v1::JoinResponse::kReleased:
      return delegate.OnReleased();
    case v1::JoinResponse::kHeartbeatAck:
    case v1::JoinResponse::MESSAGE_NOT_SET:
      return;
  }
}

void MembershipClient::State::HandleWelcome(const v1::Welcome& welcome) {
  if (welcome.term() < seen_term) {
    return Disconnect(absl::UnavailableError(
        "a router of an earlier term answered; its successor is awaited"));
  }
  SeeTerm(welcome.term());
  node_id = welcome.node_id();
  welcomed = true;
  back_off = kFirstBackOff;
  interval = absl::Milliseconds(
      std::clamp<uint32_t>(welcome.heartbeat_interval_ms(), 10, 60000));
  logger.Info("joined", {{"router", options.router_address},
                         {"node_id", static_cast<uint64_t>(node_id)},
                         {"term", welcome.term()}});
  delegate.OnWelcome(welcome);
  wake_at = clock.Now();
}

void MembershipClient::State::SendHeartbeat() {
  v1::JoinRequest request;
  v1::Heartbeat& heartbeat = *request.mutable_heartbeat();
  heartbeat.set_sequence(++heartbeats);
  *heartbeat.mutable_status() = delegate.MakeStatus();
  Send(std::move(request));

  v1::JoinRequest load;
  *load.mutable_load() = delegate.MakeLoadReport();
  if (load.load().experts_size() > 0) Send(std::move(load));
}

void MembershipClient::State::Disconnect(const absl::Status& reason) {
  SetStream(nullptr);
  ++stream_number;
  welcomed = false;
  const bool refused = IsFinal(reason);
  logger.Warning(refused ? "router_refused" : "router_away",
                 {{"router", options.router_address},
                  {"reason", std::string(reason.message())}});
  wake_at = refused ? absl::InfiniteFuture() : clock.Now() + back_off;
  back_off = std::min(2 * back_off, kLastBackOff);
  delegate.OnDisconnected(reason, refused);
}

}  // namespace mesh::router
