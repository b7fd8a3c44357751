// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <tuple>
#include <vector>

#include "absl/time/time.h"
#include "gateway/admission/admission.h"

namespace mesh::gateway {

// An Admission, a mesh of `num_streams` slots behind it, and tenants whose
// requests come whether or not earlier ones were answered (open loop), at
// random and on virtual time: a run is a function of its seed.
class MeshSimulation {
 public:
  struct Options {
    int num_streams = 64;
    absl::Duration mean_stream_time = absl::Seconds(2);
    Admission::Options admission = {};
    uint64_t seed = 1;
  };

  // What became of a request.
  struct Request {
    size_t tenant = 0;
    absl::Time asked;
    std::optional<absl::Time> started;
    std::optional<absl::Time> finished;
    std::optional<absl::Time> refused;
    absl::Status refusal;
    absl::Duration hint;
    // If it was refused: which start of its tenant would have been its own, had
    // it waited.
    size_t num_starts_ahead = 0;
    bool left = false;  // gave up while it waited
  };

  explicit MeshSimulation(const Options& options);
  ~MeshSimulation();

  // Its requests come at `load` times what the mesh can do.
  size_t AddTenant(std::shared_ptr<const Tenant> tenant, double load);
  void SetLoad(size_t tenant, double load);
  // Each waiting request leaves with this chance at each tick.
  void SetLeaving(double chance) { leaving_ = chance; }
  void SetCapacity(int num_streams) { admission_.SetCapacity(num_streams); }
  void Run(absl::Duration duration);
  // No more requests come; until all have ended.
  void RunToEnd();

  // What the mesh can do.
  double RequestsPerSecond() const;
  absl::Time Now() const { return clock_.Now(); }
  Admission& Checked() { return admission_; }
  const std::deque<Request>& Requests() const { return requests_; }

  // Of those that finished in [from, to).
  double FinishedPerSecond(absl::Time from, absl::Time to,
                           std::optional<size_t> tenant = {}) const;
  // From asked to finished, of those admitted that came in [from, to).
  absl::Duration LatencyQuantile(absl::Time from, absl::Time to,
                                 double quantile) const;
  // Of those refused in [from, to): how many hints are within half of the true
  // wait. Nothing if there were none whose true wait is known.
  std::optional<double> TrueHints(absl::Time from, absl::Time to) const;

 private:
  struct TenantLoad {
    std::shared_ptr<const Tenant> tenant;
    double per_second = 0;
    uint64_t epoch = 0;  // arrivals of an earlier load do not come
    size_t num_waiting = 0;
    std::vector<absl::Time> starts = {};
  };
  struct Event {
    absl::Time time;
    uint64_t order = 0;
    std::function<void()> happen;
    bool operator<(const Event& other) const {
      return std::tie(other.time, other.order) < std::tie(time, order);
    }
  };
  struct Live {
    std::optional<Place> place;
    std::optional<Ticket> ticket;
  };

  void At(absl::Time time, std::function<void()> happen);
  absl::Duration Exponential(absl::Duration mean);
  void ScheduleArrival(size_t tenant);
  void Arrive(size_t tenant);
  void OnResult(size_t request, absl::StatusOr<Ticket> result);
  void Tick();
  void RunUntil(absl::Time end);

  const Options options_;
  FakeClock clock_;
  Admission admission_;
  std::mt19937_64 random_;
  std::vector<TenantLoad> tenants_;
  std::deque<Request> requests_;
  std::deque<Live> live_;  // by request
  std::vector<size_t> waiting_;
  std::priority_queue<Event> events_;
  uint64_t num_events_ = 0;
  double leaving_ = 0;
};

}  // namespace mesh::gateway
