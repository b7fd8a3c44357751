// SPDX-License-Identifier: Apache-2.0
#include "attention-node/gateway_connection.h"

#include <algorithm>
#include <span>

#include "absl/strings/str_cat.h"

namespace mesh::attention {
namespace {

// While a gateway has no streams here, heartbeats are so much rarer; it knows
// (gateway/attention_client.cc).
constexpr int kQuietPatience = 4;

int64_t NumEntries(const StreamResult& result) {
  int64_t entries = 1;
  for (const PromptLogprob& logprob : result.prompt_logprobs) {
    entries += 1 + static_cast<int64_t>(logprob.top.size());
  }
  for (const EmittedToken& token : result.tokens) {
    entries += 1 + static_cast<int64_t>(token.top.size());
  }
  return entries;
}

}  // namespace

// Hands a stream's results to its connection.
class GatewayConnection::Sink final : public TokenSink {
 public:
  Sink(std::shared_ptr<GatewayConnection> connection, const StreamKey& key)
      : connection_(std::move(connection)), key_(key) {}

  void OnAdmitted(int num_cached_tokens) override {
    num_cached_tokens_ = num_cached_tokens;
  }
  void OnPromptLogprobs(std::span<const PromptLogprob> logprobs) override {
    std::vector<PromptLogprob>& all = Result().prompt_logprobs;
    all.insert(all.end(), logprobs.begin(), logprobs.end());
  }
  void OnToken(const EmittedToken& token) override {
    Result().tokens.push_back(token);
  }
  void OnFinished(FinishReason reason, const absl::Status& status) override {
    Result().end = {reason, status};
    connection_->OnFinished(key_);
  }

 private:
  StreamResult& Result() {
    StreamResult& result = connection_->ResultOf(key_);
    result.num_cached_tokens = num_cached_tokens_;
    return result;
  }

  const std::shared_ptr<GatewayConnection> connection_;
  const StreamKey key_;
  int num_cached_tokens_ = 0;
};

GatewayConnection::GatewayConnection(const Options& options, Engine& engine,
                                     const Clock& clock,
                                     std::weak_ptr<Outlet> outlet)
    : options_(options),
      engine_(engine),
      clock_(clock),
      outlet_(std::move(outlet)),
      last_heard_(clock.Now()),
      last_sent_(clock.Now()) {}

void GatewayConnection::Submit(Request request) {
  const StreamKey key{request.transcript.request, request.transcript.choice,
                      request.attempt};
  const StreamId id{key.request, key.choice};
  absl::Status refused;
  {
    const MutexLock lock(mutex_);
    last_heard_ = clock_.Now();
    if (closed_) return;
    refused = refusing_;
    // Before the engine has it, since it may end at once.
    if (refused.ok() && !streams_.emplace(id, key.attempt).second) {
      refused = absl::AlreadyExistsError(
          absl::StrCat("request ", key.request.value, " choice ", key.choice,
                       " is running already"));
    }
  }
  if (!refused.ok()) {
    Refuse(key, refused);
    return;
  }
  const absl::Status submitted = engine_.Submit(
      std::move(request.transcript), clock_.Now() + request.timeout,
      std::make_shared<Sink>(shared_from_this(), key), request.priority);
  if (submitted.ok()) {
    const MutexLock lock(mutex_);
    // Closed meanwhile, without having seen the stream in the engine.
    if (closed_) engine_.Cancel(key.request, key.choice);
    return;
  }
  {
    const MutexLock lock(mutex_);
    streams_.erase(id);
  }
  Refuse(key, submitted);
}

void GatewayConnection::Cancel(const StreamKey& key) {
  {
    const MutexLock lock(mutex_);
    last_heard_ = clock_.Now();
    const auto found = streams_.find({key.request, key.choice});
    if (found == streams_.end() || found->second != key.attempt) return;
  }
  engine_.Cancel(key.request, key.choice);
}

void GatewayConnection::OnHeartbeat() {
  const MutexLock lock(mutex_);
  last_heard_ = clock_.Now();
}

void GatewayConnection::Refuse(const StreamKey& key,
                               const absl::Status& status) {
  {
    const MutexLock lock(mutex_);
    last_heard_ = clock_.Now();
    refusals_.push_back({key, status});
  }
  Announce();
}

std::optional<GatewayConnection::Outgoing> GatewayConnection::Next() {
  const MutexLock lock(mutex_);
  if (closed_) return std::nullopt;
  std::optional<Outgoing> next;
  if (!refusals_.empty()) {
    next = std::move(refusals_.front());
    refusals_.erase(refusals_.begin());
  } else if (!waiting_.streams.empty()) {
    next = std::exchange(waiting_, {});
    waiting_entries_ = 0;
  } else if (std::exchange(heartbeat_due_, false)) {
    next = Heartbeat{++heartbeats_};
  } else {
    return std::nullopt;
  }
  heartbeat_due_ = false;
  last_sent_ = clock_.Now();
  return next;
}

StreamResult& GatewayConnection::ResultOf(const StreamKey& key) {
  // A step's results of one stream follow each other.
  if (collecting_.empty() || collecting_.back().key != key) {
    collecting_.push_back({.key = key});
  }
  return collecting_.back();
}

void GatewayConnection::OnFinished(const StreamKey& key) {
  const MutexLock lock(mutex_);
  streams_.erase({key.request, key.choice});
}

void GatewayConnection::Flush(int64_t step) {
  if (collecting_.empty()) return;
  bool overflow = false;
  {
    const MutexLock lock(mutex_);
    waiting_.step = step;
    for (StreamResult& result : collecting_) {
      waiting_entries_ += NumEntries(result);
      waiting_.streams.push_back(std::move(result));
    }
    overflow = waiting_entries_ > options_.max_waiting_entries;
    if (closed_ || overflow) {
      waiting_ = {};
      waiting_entries_ = 0;
    }
    overflow = overflow && !closed_;
  }
  collecting_.clear();
  if (!overflow) {
    Announce();
    return;
  }
  CutOff(absl::ResourceExhaustedError(
      "the gateway does not read its results; it was cut off"));
}

void GatewayConnection::Tick() {
  bool silent = false;
  bool due = false;
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    const absl::Time now = clock_.Now();
    silent = now - last_heard_ > options_.silence_limit;
    const int patience = streams_.empty() ? kQuietPatience : 1;
    due = now - last_sent_ >= options_.heartbeat_interval * patience;
    heartbeat_due_ = heartbeat_due_ || due;
  }
  if (due) Announce();
  if (!silent) return;
  CutOff(absl::DeadlineExceededError(
      absl::StrCat("the gateway has been silent for ",
                   absl::FormatDuration(options_.silence_limit))));
}

void GatewayConnection::RefuseAll(const absl::Status& status) {
  const MutexLock lock(mutex_);
  refusing_ = status;
}

void GatewayConnection::Close() {
  std::vector<StreamId> streams;
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    closed_ = true;
    for (const auto& [stream, attempt] : streams_) streams.push_back(stream);
  }
  for (const StreamId& stream : streams) {
    engine_.Cancel(stream.first, stream.second);
  }
}

void GatewayConnection::CutOff(const absl::Status& status) {
  if (const std::shared_ptr<Outlet> outlet = outlet_.lock()) {
    outlet->CutOff(status);
  }
  Close();
}

void GatewayConnection::End(const absl::Status& status) {
  if (const std::shared_ptr<Outlet> outlet = outlet_.lock()) {
    outlet->End(status);
  }
  Close();
}

bool GatewayConnection::IsIdle() const {
  const MutexLock lock(mutex_);
  return closed_ || (streams_.empty() && waiting_.streams.empty());
}

void GatewayConnection::Announce() {
  if (const std::shared_ptr<Outlet> outlet = outlet_.lock()) {
    outlet->OnOutgoing();
  }
}

}  // namespace mesh::attention
