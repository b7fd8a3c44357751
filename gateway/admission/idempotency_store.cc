// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/idempotency_store.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

constexpr absl::string_view kHeader = "Idempotency-Key";
constexpr size_t kMaxKeyBytes = 255;
// What an answer takes besides its text, about.
constexpr size_t kEntryBytes = 1024;
constexpr absl::Duration kCheckInterval = absl::Seconds(1);

bool IsKey(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxKeyBytes &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c <= '~'; });
}

// Nothing if the request has none.
absl::StatusOr<std::optional<std::string>> KeyOf(const HttpRequest& request) {
  std::optional<std::string> key;
  if (request.method != "POST") return key;
  for (const auto& [name, value] : request.headers) {
    if (!absl::EqualsIgnoreCase(name, kHeader)) continue;
    if (!IsKey(value) || (key.has_value() && *key != value)) {
      return InvalidField(kHeader, "invalid_idempotency_key",
                          absl::StrCat("expected one Idempotency-Key of 1 to ",
                                       kMaxKeyBytes, " visible characters"));
    }
    key = value;
  }
  return key;
}

void Update(DigestBuilder& builder, const std::string& text) {
  const std::array<uint64_t, 1> size = {text.size()};
  builder.Update(std::as_bytes(std::span(size)));
  builder.Update(std::as_bytes(std::span(text.data(), text.size())));
}

Digest DigestOfRequest(const HttpRequest& request) {
  DigestBuilder builder;
  Update(builder, request.path);
  Update(builder, request.query);
  Update(builder, request.body);
  return builder.Finish();
}

absl::Status Mismatch() {
  return ApiError(absl::StatusCode::kAlreadyExists,
                  "this Idempotency-Key belongs to another request; choose a "
                  "new key for each request",
                  {.code = "idempotency_mismatch",
                   .param = std::string(kHeader),
                   .http_status = 409});
}

}  // namespace

IdempotencyStore::IdempotencyStore(const Options& options,
                                   RecordedAnswer::Post post,
                                   const Clock& clock)
    : options_(options),
      post_(std::move(post)),
      clock_(clock),
      next_check_(clock.Now() + kCheckInterval) {}

absl::StatusOr<std::shared_ptr<Responder>> IdempotencyStore::Open(
    const HttpRequest& request, absl::string_view tenant,
    std::shared_ptr<Responder> responder) {
  ASSIGN_OR_RETURN(std::optional<std::string> text, KeyOf(request));
  if (!text.has_value()) return responder;
  Key key(tenant, *std::move(text));
  const Digest digest = DigestOfRequest(request);
  std::shared_ptr<RecordedAnswer> answer;
  bool is_new = false;
  {
    MutexLock lock(mutex_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      const Entries::iterator entry = found->second;
      if (entry->digest != digest) {
        ++stats_.num_mismatches;
        return Mismatch();
      }
      ++(entry->complete ? stats_.num_replayed : stats_.num_joined);
      entries_.splice(entries_.begin(), entries_, entry);
      answer = entry->answer;
    } else {
      is_new = true;
      answer = Add(std::move(key), digest);
    }
  }
  if (answer == nullptr) return responder;
  answer->AddReader(std::move(responder));
  if (!is_new) return nullptr;
  return std::make_shared<RecordingResponder>(std::move(answer));
}

std::shared_ptr<RecordedAnswer> IdempotencyStore::Add(Key key,
                                                      const Digest& digest) {
  const size_t num_bytes = kEntryBytes + key.first.size() + key.second.size();
  if (!MakeRoom(num_bytes)) return nullptr;
  AnswerKeeper& keeper = *this;
  auto answer = std::make_shared<RecordedAnswer>(keeper, post_);
  entries_.push_front({.key = std::move(key),
                       .digest = digest,
                       .answer = answer,
                       .num_bytes = num_bytes,
                       .complete = false,
                       .completed = {}});
  by_key_[entries_.front().key] = entries_.begin();
  by_answer_[answer.get()] = entries_.begin();
  stats_.num_bytes += num_bytes;
  ++stats_.num_recorded;
  return answer;
}

bool IdempotencyStore::MakeRoom(size_t num_bytes) {
  if (num_bytes > options_.max_total_bytes) return false;
  auto entry = entries_.end();
  while (stats_.num_bytes + num_bytes > options_.max_total_bytes) {
    if (entry == entries_.begin()) return false;
    --entry;
    if (!entry->complete) continue;
    const auto victim = entry++;
    Erase(victim);
  }
  return true;
}

void IdempotencyStore::Erase(Entries::iterator entry) {
  stats_.num_bytes -= entry->num_bytes;
  by_key_.erase(entry->key);
  by_answer_.erase(entry->answer.get());
  entries_.erase(entry);
}

bool IdempotencyStore::Grow(const RecordedAnswer& answer, size_t num_bytes) {
  MutexLock lock(mutex_);
  const auto found = by_answer_.find(&answer);
  if (found == by_answer_.end()) return false;
  Entry& entry = *found->second;
  if (entry.num_bytes + num_bytes > options_.max_answer_bytes ||
      !MakeRoom(num_bytes)) {
    return false;
  }
  entry.num_bytes += num_bytes;
  stats_.num_bytes += num_bytes;
  return true;
}

void IdempotencyStore::OnComplete(const RecordedAnswer& answer) {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  const auto found = by_answer_.find(&answer);
  if (found == by_answer_.end()) return;
  found->second->complete = true;
  found->second->completed = now;
}

void IdempotencyStore::Forget(const RecordedAnswer& answer) {
  MutexLock lock(mutex_);
  const auto found = by_answer_.find(&answer);
  if (found != by_answer_.end()) Erase(found->second);
}

void IdempotencyStore::Tick() {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  if (now < next_check_) return;
  next_check_ = now + kCheckInterval;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (entry->complete && now >= entry->completed + options_.keep) {
      Erase(entry);
    }
    entry = next;
  }
}

IdempotencyStore::Stats IdempotencyStore::GetStats() const {
  MutexLock lock(mutex_);
  Stats stats = stats_;
  stats.num_answers = entries_.size();
  return stats;
}

}  // namespace mesh::gateway
