// SPDX-License-Identifier: Apache-2.0
#include "gateway/stream_router.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/node_selector.h"
#include "gateway/retry_policy.h"

namespace mesh::gateway {
namespace {

// What a new stream runs on at that node: its newest routing table.
ModelIdentity IdentityOf(const NodeHello& hello) {
  return {hello.model, hello.numerics,
          *std::max_element(hello.routing_tables.begin(),
                            hello.routing_tables.end())};
}

}  // namespace

StreamRouter::StreamRouter(Options options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      next_id_(options_.first_id) {}

void StreamRouter::WakeAll(const Wakes& wakes) {
  for (const std::shared_ptr<StreamSink>& sink : wakes) sink->Wake();
}

absl::Status StreamRouter::NotReadyError() {
  return absl::UnavailableError(
      "no attention node is ready yet; try again in a moment");
}

absl::StatusOr<StreamRouter::Start> StreamRouter::Submit(
    Request request, std::shared_ptr<StreamSink> sink) {
  PrefixAffinity::Keys prefixes =
      PrefixAffinity::KeysOf(request.cache_salt, request.prompt);
  MutexLock lock(mutex_);
  if (!identity_.has_value()) return NotReadyError();
  if (static_cast<int>(streams_.size()) >= options_.max_streams) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the gateway runs ", options_.max_streams,
                     " requests, its limit; try again in a moment"));
  }
  const RequestId id{next_id_++};
  auto stream = std::make_unique<Stream>(
      StreamLog::Request{.request = id,
                         .request_id = std::move(request.request_id),
                         .cache_salt = std::move(request.cache_salt),
                         .prompt = std::move(request.prompt),
                         .sampling = std::move(request.sampling),
                         .priority = request.priority,
                         .vocab_size = options_.vocab_size,
                         .eos_token_ids = options_.eos_token_ids},
      std::move(sink));
  stream->deadline = request.deadline;
  stream->log.SetIdentity(*identity_);
  stream->prefixes = std::move(prefixes);
  Stream& added = *stream;
  streams_[id.value] = std::move(stream);
  Place(added);
  added.is_bound = true;
  return Start{id, added.log.Identity()};
}

void StreamRouter::Cancel(RequestId id, const absl::Status& status) {
  Wakes wakes;
  {
    MutexLock lock(mutex_);
    const auto found = streams_.find(id.value);
    if (found == streams_.end()) return;
    CancelAtNode(*found->second);
    End(*found->second, FinishReason::kCancelled, status, wakes);
  }
  WakeAll(wakes);
}

void StreamRouter::Park(RequestId id) {
  const MutexLock lock(mutex_);
  const auto found = streams_.find(id.value);
  if (found == streams_.end()) return;
  Stream& stream = *found->second;
  CancelAtNode(stream);
  Detach(stream);
  stream.retry_at = absl::InfiniteFuture();
  stream.stalled_since.reset();
}

void StreamRouter::Resume(RequestId id) {
  const MutexLock lock(mutex_);
  const auto found = streams_.find(id.value);
  if (found == streams_.end()) return;
  Stream& stream = *found->second;
  stream.retry_at = absl::InfinitePast();
  if (stream.node == nullptr) Place(stream);
}

void StreamRouter::OnNodeReady(std::shared_ptr<NodeLink> link,
                               NodeHello hello) {
  MutexLock lock(mutex_);
  identity_ = IdentityOf(hello);
  Node node{.link = std::move(link), .hello = std::move(hello)};
  const NodeLink* key = node.link.get();
  nodes_.insert_or_assign(key, std::move(node));
  PlaceWaiting();
}

void StreamRouter::OnNodeLost(const NodeLink* link) {
  Wakes wakes;
  {
    MutexLock lock(mutex_);
    if (nodes_.erase(link) == 0) return;
    std::vector<Stream*> orphans;
    for (const auto& [id, stream] : streams_) {
      if (stream->node == link) orphans.push_back(stream.get());
    }
    for (Stream* stream : orphans) {
      stream->node = nullptr;
      Fail(*stream, absl::UnavailableError("the attention node was lost"),
           "lost", wakes);
    }
  }
  WakeAll(wakes);
}

void StreamRouter::OnStep(const NodeLink* link, StepResults results) {
  Wakes wakes;
  {
    MutexLock lock(mutex_);
    const auto node = nodes_.find(link);
    if (node == nodes_.end()) return;
    node->second.load = results.load;
    for (StreamResult& result : results.streams) {
      OnResult(link, std::move(result), wakes);
    }
  }
  WakeAll(wakes);
}

void StreamRouter::OnLoad(const NodeLink* link, const NodeLoad& load) {
  MutexLock lock(mutex_);
  const auto node = nodes_.find(link);
  if (node == nodes_.end()) return;
  node->second.load = load;
}

void StreamRouter::OnRefused(const NodeLink* link, const Refusal& refusal) {
  Wakes wakes;
  {
    MutexLock lock(mutex_);
    Stream* stream = Find(refusal.request, refusal.attempt, link);
    if (stream == nullptr) return;
    Fail(*stream, refusal.status, "refused", wakes);
  }
  WakeAll(wakes);
}

StreamRouter::Stream* StreamRouter::Find(RequestId id, uint32_t attempt,
                                         const NodeLink* link) {
  const auto found = streams_.find(id.value);
  if (found == streams_.end()) return nullptr;
  Stream& stream = *found->second;
  if (stream.node != link || stream.log.Attempt() != attempt) return nullptr;
  return &stream;
}

void StreamRouter::OnResult(const NodeLink* link, StreamResult result,
                            Wakes& wakes) {
  Stream* stream = Find(result.request, result.attempt, link);
  if (stream == nullptr) return;
  const absl::Status accepted = stream->log.Accept(&result);
  if (!accepted.ok()) {
    CancelAtNode(*stream);
    Fail(*stream, accepted, "damaged", wakes);
    return;
  }
  const std::optional<Finished> finished = std::move(result.finished);
  if (!result.tokens.empty() || !result.prompt_logprobs.empty()) {
    stream->stalled_since.reset();
    stream->num_failures = 0;
    stream->avoid.clear();
    wakes.push_back(stream->sink);
    stream->sink->OnResult(std::move(result), stream->num_migrations);
  }
  if (finished.has_value()) OnFinished(*stream, *finished, wakes);
}

void StreamRouter::OnFinished(Stream& stream, const Finished& finished,
                              Wakes& wakes) {
  switch (finished.reason) {
    case FinishReason::kStop:
    case FinishReason::kLength:
      End(stream, finished.reason, absl::OkStatus(), wakes);
      return;
    case FinishReason::kDeadline:
      End(stream, FinishReason::kDeadline,
          absl::DeadlineExceededError(
              "the request took longer than its deadline"),
          wakes);
      return;
    case FinishReason::kCancelled:  // not by us: we have forgotten those
      Fail(stream, absl::UnavailableError("the attention node gave it up"),
           "failed", wakes);
      return;
    case FinishReason::kFailed:
      Fail(stream, finished.status, "failed", wakes);
      return;
  }
}

void StreamRouter::Fail(Stream& stream, const absl::Status& status,
                        absl::string_view reason, Wakes& wakes) {
  const auto node = nodes_.find(stream.node);
  if (node != nodes_.end()) stream.avoid.insert(node->second.hello.name);
  Detach(stream);
  if (const auto completion = stream.log.Completion()) {
    End(stream, *completion, absl::OkStatus(), wakes);
    return;
  }
  if (!IsRetryable(status)) {
    End(stream, FinishReason::kFailed, status, wakes);
    return;
  }
  const absl::Time now = clock_.Now();
  ++stream.num_failures;
  stream.last_error = status;
  stream.moved_by = reason;
  if (!stream.stalled_since || reason == "lost") stream.stalled_since = now;
  if (!MayGoOn(stream, status)) {
    End(stream, FinishReason::kFailed, status, wakes);
    return;
  }
  const Node* next = Choose(stream);
  const bool elsewhere =
      next != nullptr && stream.avoid.count(next->hello.name) == 0;
  stream.retry_at = now;
  if (!elsewhere && reason != "lost") {
    stream.retry_at += Backoff(stream.num_failures, options_.first_retry,
                               options_.longest_retry);
  }
  if (stream.retry_at <= now) Place(stream);
}

bool StreamRouter::MayGoOn(const Stream& stream, const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) {
    return stream.num_failures < options_.max_attempts;
  }
  // A stream that has begun waits for room; a new one is turned away once all
  // nodes are full.
  if (stream.log.NumEmitted() > 0) return true;
  const Node* next = Choose(stream);
  return next != nullptr && stream.avoid.count(next->hello.name) == 0;
}

StreamRouter::Node* StreamRouter::Choose(const Stream& stream) {
  const std::string knows_prefix = prefixes_.Find(stream.prefixes);
  std::vector<Candidate> candidates;
  std::vector<Node*> nodes;
  for (auto& [link, node] : nodes_) {
    if (stream.is_bound && !node.hello.Serves(stream.log.Identity())) continue;
    nodes.push_back(&node);
    candidates.push_back({.name = node.hello.name,
                          .num_streams = std::max(node.load.streams_running +
                                                      node.load.streams_waiting,
                                                  node.num_own),
                          .draining = node.load.draining,
                          .avoid = stream.avoid.count(node.hello.name) > 0,
                          .knows_prefix = node.hello.name == knows_prefix});
  }
  const std::optional<size_t> best = SelectNode(candidates);
  return best ? nodes[*best] : nullptr;
}

void StreamRouter::Place(Stream& stream) {
  Node* node = Choose(stream);
  const absl::Time now = clock_.Now();
  if (node == nullptr) {
    if (!stream.stalled_since) stream.stalled_since = now;
    return;
  }
  if (!stream.moved_by.empty()) {
    if (options_.on_migration) options_.on_migration(stream.moved_by);
    if (stream.moved_by != "refused") ++stream.num_migrations;
    stream.moved_by = {};
  }
  if (!stream.is_bound) stream.log.SetIdentity(IdentityOf(node->hello));
  stream.node = node->link.get();
  prefixes_.Remember(stream.prefixes, node->hello.name);
  ++node->num_own;
  node->link->Submit(stream.log.NextSubmission(
      std::max(stream.deadline - now, absl::Milliseconds(1))));
}

void StreamRouter::PlaceWaiting() {
  const absl::Time now = clock_.Now();
  for (const auto& [id, stream] : streams_) {
    if (stream->node == nullptr && stream->retry_at <= now) Place(*stream);
  }
}

void StreamRouter::Detach(Stream& stream) {
  const auto node = nodes_.find(stream.node);
  if (node != nodes_.end()) --node->second.num_own;
  stream.node = nullptr;
}

void StreamRouter::End(Stream& stream, FinishReason reason,
                       const absl::Status& status, Wakes& wakes) {
  Detach(stream);
  wakes.push_back(stream.sink);
  stream.sink->OnEnd({reason, status, stream.num_migrations});
  streams_.erase(stream.log.Id().value);
}

void StreamRouter::CancelAtNode(const Stream& stream) {
  const auto node = nodes_.find(stream.node);
  if (node == nodes_.end()) return;
  node->second.link->Cancel(stream.log.Id(), stream.log.Attempt());
}

void StreamRouter::Tick() {
  Wakes wakes;
  {
    MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    std::vector<Stream*> due;
    for (const auto& [id, stream] : streams_) {
      if (now >= stream->deadline || stream->node == nullptr) {
        due.push_back(stream.get());
      }
    }
    for (Stream* stream : due) TickStream(*stream, now, wakes);
  }
  WakeAll(wakes);
}

void StreamRouter::TickStream(Stream& stream, absl::Time now, Wakes& wakes) {
  if (now >= stream.deadline) {
    CancelAtNode(stream);
    End(stream, FinishReason::kDeadline,
        absl::DeadlineExceededError(
            "the request took longer than its deadline"),
        wakes);
    return;
  }
  if (stream.retry_at <= now) Place(stream);
  if (stream.node != nullptr || !stream.stalled_since) return;
  if (now - *stream.stalled_since < options_.max_wait) return;
  End(stream, FinishReason::kFailed,
      absl::UnavailableError(absl::StrCat(
          "no attention node took the request for ",
          absl::FormatDuration(options_.max_wait), "; try again later")),
      wakes);
}

StreamRouter::Counts StreamRouter::GetCounts() const {
  MutexLock lock(mutex_);
  Counts counts;
  counts.nodes = static_cast<int>(nodes_.size());
  counts.streams = static_cast<int>(streams_.size());
  for (const auto& [link, node] : nodes_) {
    if (!node.load.draining) counts.max_streams += node.hello.max_streams;
    counts.kv_blocks_free += node.load.kv_blocks_free;
    counts.kv_blocks_total += node.load.kv_blocks_total;
  }
  return counts;
}

std::optional<int> StreamRouter::MaxPositions() const {
  MutexLock lock(mutex_);
  std::optional<int> least;
  for (const auto& [link, node] : nodes_) {
    if (!least || node.hello.max_positions < *least) {
      least = node.hello.max_positions;
    }
  }
  return least;
}

std::optional<ModelIdentity> StreamRouter::Identity() const {
  MutexLock lock(mutex_);
  return identity_;
}

}  // namespace mesh::gateway
