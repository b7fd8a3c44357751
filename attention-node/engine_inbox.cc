// SPDX-License-Identifier: Apache-2.0
#include "attention-node/engine_inbox.h"

#include "absl/strings/str_cat.h"
#include "core/check.h"

namespace mesh::attention {
namespace {

// What a transcript keeps in memory, in tokens.
int64_t NumTokens(const Transcript& transcript) {
  const SamplingParams& sampling = transcript.sampling;
  constexpr size_t kTokensOfBias =
      sizeof(sampling.logit_bias[0]) / sizeof(TokenId);
  return static_cast<int64_t>(transcript.prompt.size() +
                              transcript.emitted.size() +
                              sampling.stop_token_ids.size() +
                              sampling.logit_bias.size() * kTokensOfBias);
}

}  // namespace

absl::Status EngineInbox::Submit(Submission submission) {
  absl::Status added = Add(std::move(submission));
  if (added.ok() && waker_) waker_();
  return added;
}

absl::Status EngineInbox::Add(Submission submission) {
  const StreamId stream{submission.transcript.request,
                        submission.transcript.choice};
  const int64_t num_tokens = NumTokens(submission.transcript);
  const MutexLock lock(mutex_);
  if (closed_) return absl::UnavailableError("the engine is stopping");
  if (streams_.contains(stream)) {
    return absl::AlreadyExistsError(absl::StrCat("request ", stream.first.value,
                                                 " choice ", stream.second,
                                                 " is running already"));
  }
  if (streams_.size() >= static_cast<size_t>(limits_.max_streams)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the engine holds ", streams_.size(), " of ",
                     limits_.max_streams, " streams"));
  }
  if (num_tokens > limits_.max_tokens - num_tokens_) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the engine holds ", num_tokens_, " of ", limits_.max_tokens,
        " tokens; the request has ", num_tokens));
  }
  num_tokens_ += num_tokens;
  ++num_submitted_;
  streams_[stream] = {.num_tokens = num_tokens};
  submissions_.push_back(std::move(submission));
  changed_.NotifyOne();
  return absl::OkStatus();
}

void EngineInbox::Cancel(const StreamId& stream) {
  const MutexLock lock(mutex_);
  const auto found = streams_.find(stream);
  if (found == streams_.end() || found->second.cancelled) return;
  found->second.cancelled = true;
  cancelled_.push_back(stream);
}

void EngineInbox::Take(std::vector<Submission>* submissions,
                       std::vector<StreamId>* cancelled) {
  submissions->clear();
  cancelled->clear();
  const MutexLock lock(mutex_);
  submissions->swap(submissions_);
  cancelled->swap(cancelled_);
}

void EngineInbox::Remove(const StreamId& stream) {
  const MutexLock lock(mutex_);
  const auto found = streams_.find(stream);
  MESH_CHECK(found != streams_.end());
  num_tokens_ -= found->second.num_tokens;
  // The cancellation of a stream that ended by itself must not reach a later
  // one of the same name.
  if (found->second.cancelled) std::erase(cancelled_, stream);
  streams_.erase(found);
}

bool EngineInbox::HasStreams() const {
  const MutexLock lock(mutex_);
  return !streams_.empty();
}

bool EngineInbox::WaitForWork() {
  const MutexLock lock(mutex_);
  while (!closed_ && streams_.empty()) changed_.Wait(mutex_);
  return !closed_;
}

bool EngineInbox::HasWork() const {
  const MutexLock lock(mutex_);
  return closed_ || !streams_.empty();
}

void EngineInbox::Close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    changed_.NotifyAll();
  }
  if (waker_) waker_();
}

bool EngineInbox::Closed() const {
  const MutexLock lock(mutex_);
  return closed_;
}

void EngineInbox::Publish(const EngineCounters& counters) {
  const MutexLock lock(mutex_);
  counters_ = counters;
}

EngineCounters EngineInbox::Counters() const {
  const MutexLock lock(mutex_);
  EngineCounters counters = counters_;
  counters.submitted = num_submitted_;
  return counters;
}

}  // namespace mesh::attention
