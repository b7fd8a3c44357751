// SPDX-License-Identifier: Apache-2.0
#include "gateway/running_requests.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

// For a client to read how its request ended.
constexpr absl::Duration kExpiryGrace = absl::Seconds(2);

}  // namespace

absl::Status RunningRequests::Add(const std::string& request_id,
                                  absl::Time deadline,
                                  std::weak_ptr<RunningRequest> request) {
  MutexLock lock(mutex_);
  if (draining_) {
    return ApiError(absl::StatusCode::kUnavailable,
                    "this gateway is shutting down; try again at another one",
                    {.code = "shutting_down"});
  }
  if (!entries_.try_emplace(request_id, Entry{deadline, std::move(request)})
           .second) {
    return absl::AlreadyExistsError(
        absl::StrCat("request '", request_id,
                     "' is running already; choose another request_id"));
  }
  return absl::OkStatus();
}

void RunningRequests::FreeName(const std::string& request_id) {
  MutexLock lock(mutex_);
  if (entries_.erase(request_id) > 0) ++num_nameless_;
}

void RunningRequests::Remove(const std::string& request_id) {
  MutexLock lock(mutex_);
  entries_.erase(request_id);
  if (NumLeft() == 0) none_left_.NotifyAll();
}

void RunningRequests::RemoveNameless() {
  MutexLock lock(mutex_);
  --num_nameless_;
  if (NumLeft() == 0) none_left_.NotifyAll();
}

void RunningRequests::SetDeadline(const std::string& request_id,
                                  absl::Time deadline) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(request_id);
  if (found != entries_.end()) found->second.deadline = deadline;
}

absl::Status RunningRequests::Cancel(const std::string& request_id) {
  std::shared_ptr<RunningRequest> request;
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(request_id);
    if (found == entries_.end()) {
      return absl::NotFoundError(
          absl::StrCat("request '", request_id, "' does not run here"));
    }
    request = found->second.request.lock();
  }
  if (request != nullptr) request->Cancel();
  return absl::OkStatus();
}

void RunningRequests::ExpireDue(absl::Time now) {
  std::vector<std::shared_ptr<RunningRequest>> due;
  {
    MutexLock lock(mutex_);
    for (const auto& [request_id, entry] : entries_) {
      if (now < entry.deadline + kExpiryGrace) continue;
      if (auto request = entry.request.lock())
        due.push_back(std::move(request));
    }
  }
  for (const auto& request : due) request->Expire();
}

void RunningRequests::StartDraining() {
  MutexLock lock(mutex_);
  draining_ = true;
}

bool RunningRequests::AwaitNone(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  MutexLock lock(mutex_);
  while (NumLeft() > 0) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    none_left_.WaitFor(mutex_, left);
  }
  return true;
}

int RunningRequests::NumRunning() const {
  MutexLock lock(mutex_);
  return NumLeft();
}

int RunningRequests::NumLeft() const {
  return static_cast<int>(entries_.size()) + num_nameless_;
}

}  // namespace mesh::gateway
