// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/digest.h"
#include "core/mutex.h"
#include "gateway/admission/recorded_answer.h"
#include "gateway/http/http_message.h"
#include "gateway/http/responder.h"

namespace mesh::gateway {

// Answers to requests with an Idempotency-Key, so that a request that is sent
// again is not generated again: docs/admission.md. Thread-safe. Outlives the
// responders that it gives.
class IdempotencyStore final : private AnswerKeeper {
 public:
  struct Options {
    size_t max_answer_bytes = size_t{1} << 20;
    size_t max_total_bytes = size_t{64} << 20;
    absl::Duration keep = absl::Minutes(10);  // once an answer is whole
  };
  struct Stats {
    size_t num_answers = 0;  // that can be found
    size_t num_bytes = 0;
    uint64_t num_recorded = 0;
    uint64_t num_replayed = 0;
    uint64_t num_joined = 0;
    uint64_t num_mismatches = 0;
  };

  // `clock` outlives it. `post` is called with few locks held, and only keeps
  // what it is given.
  IdempotencyStore(const Options& options, RecordedAnswer::Post post,
                   const Clock& clock);

  // Where to write the answer to `request`: `responder`, if it is no POST or
  // has no key; one that records; or null: the answer comes from an earlier
  // request, and there is nothing to do. Errors: kInvalidArgument for a key
  // that is none; kAlreadyExists, idempotency_mismatch and 409.
  absl::StatusOr<std::shared_ptr<Responder>> Open(
      const HttpRequest& request, absl::string_view tenant,
      std::shared_ptr<Responder> responder);

  // Ends what has been kept for long enough.
  void Tick();

  Stats GetStats() const;

 private:
  using Key = std::pair<std::string, std::string>;  // tenant, key
  struct Entry {
    Key key;
    Digest digest;  // of the request
    std::shared_ptr<RecordedAnswer> answer;
    size_t num_bytes = 0;
    bool complete = false;
    absl::Time completed;
  };
  using Entries = std::list<Entry>;  // the latest use first

  bool Grow(const RecordedAnswer& answer, size_t num_bytes) override;
  void OnComplete(const RecordedAnswer& answer) override;
  void Forget(const RecordedAnswer& answer) override;

  bool MakeRoom(size_t num_bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Erase(Entries::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null: there is no room for another.
  std::shared_ptr<RecordedAnswer> Add(Key key, const Digest& digest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const RecordedAnswer::Post post_;
  const Clock& clock_;

  mutable Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Key, Entries::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<const RecordedAnswer*, Entries::iterator> by_answer_
      ABSL_GUARDED_BY(mutex_);
  Stats stats_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_check_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::gateway
