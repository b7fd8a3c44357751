// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/mutex.h"

namespace mesh::gateway {

// A request under way. Thread-safe; both functions may come after its end.
class RunningRequest {
 public:
  virtual ~RunningRequest() = default;

  // Ends it as if it were complete.
  virtual void Cancel() = 0;
  // Ends it whatever its client does.
  virtual void Expire() = 0;
};

// The requests that run in this gateway, by their names: for Cancel, for the
// drain, and so that none outlives its deadline because its client does not
// read. Thread-safe.
class RunningRequests {
 public:
  // Errors: kAlreadyExists for a name that runs; kUnavailable once draining.
  absl::Status Add(const std::string& request_id, absl::Time deadline,
                   std::weak_ptr<RunningRequest> request);
  // Its name is free again; until Remove it counts, for its last bytes are on
  // their way. Once.
  void FreeName(const std::string& request_id);
  void Remove(const std::string& request_id);
  void RemoveNameless();  // one whose name was freed
  void SetDeadline(const std::string& request_id, absl::Time deadline);

  // Errors: kNotFound.
  absl::Status Cancel(const std::string& request_id);

  // Ends those that are well past their deadline.
  void ExpireDue(absl::Time now);

  // From now on Add refuses.
  void StartDraining();
  // False if some still run after `limit`.
  bool AwaitNone(absl::Duration limit);

  int NumRunning() const;

 private:
  int NumLeft() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  struct Entry {
    absl::Time deadline;
    std::weak_ptr<RunningRequest> request;
  };

  mutable Mutex mutex_;
  CondVar none_left_;
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  int num_nameless_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace mesh::gateway
