// SPDX-License-Identifier: Apache-2.0
#include "tests/gateway/admission/mesh_simulation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

constexpr absl::Duration kTickInterval = absl::Milliseconds(20);

bool IsIn(const std::optional<absl::Time>& time, absl::Time from,
          absl::Time to) {
  return time.has_value() && *time >= from && *time < to;
}

}  // namespace

MeshSimulation::MeshSimulation(const Options& options)
    : options_(options),
      admission_(options.admission, clock_),
      random_(options.seed) {
  admission_.SetCapacity(options.num_streams);
  Tick();
}

MeshSimulation::~MeshSimulation() {
  // So that the end of a stream starts no other.
  for (Live& live : live_) live.place.reset();
}

double MeshSimulation::RequestsPerSecond() const {
  return options_.num_streams /
         absl::ToDoubleSeconds(options_.mean_stream_time);
}

size_t MeshSimulation::AddTenant(std::shared_ptr<const Tenant> tenant,
                                 double load) {
  tenants_.push_back({.tenant = std::move(tenant)});
  SetLoad(tenants_.size() - 1, load);
  return tenants_.size() - 1;
}

void MeshSimulation::SetLoad(size_t tenant, double load) {
  tenants_[tenant].per_second = load * RequestsPerSecond();
  ++tenants_[tenant].epoch;
  if (load > 0) ScheduleArrival(tenant);
}

void MeshSimulation::At(absl::Time time, std::function<void()> happen) {
  events_.push({time, num_events_++, std::move(happen)});
}

absl::Duration MeshSimulation::Exponential(absl::Duration mean) {
  const double unit =
      static_cast<double>(random_() >> 11) * 0x1.0p-53;  // [0, 1)
  return mean * -std::log1p(-unit);
}

void MeshSimulation::ScheduleArrival(size_t tenant) {
  const TenantLoad& load = tenants_[tenant];
  At(clock_.Now() + Exponential(absl::Seconds(1 / load.per_second)),
     [this, tenant, epoch = load.epoch] {
       if (tenants_[tenant].epoch != epoch) return;
       Arrive(tenant);
       ScheduleArrival(tenant);
     });
}

void MeshSimulation::Arrive(size_t tenant) {
  const size_t request = requests_.size();
  requests_.emplace_back();
  requests_.back().tenant = tenant;
  requests_.back().asked = clock_.Now();
  live_.emplace_back();
  ++tenants_[tenant].num_waiting;
  waiting_.push_back(request);
  Place place = admission_.Ask({.tenant = tenants_[tenant].tenant,
                                .num_prompt_tokens = 100,
                                .max_tokens = 100,
                                .num_bytes = 1000},
                               [this, request](absl::StatusOr<Ticket> result) {
                                 OnResult(request, std::move(result));
                               });
  live_[request].place = std::move(place);
}

void MeshSimulation::OnResult(size_t request, absl::StatusOr<Ticket> result) {
  Request& record = requests_[request];
  TenantLoad& load = tenants_[record.tenant];
  --load.num_waiting;
  std::erase(waiting_, request);
  if (!result.ok()) {
    record.refused = clock_.Now();
    record.refusal = result.status();
    record.hint =
        DetailsOf(result.status()).retry_after.value_or(absl::ZeroDuration());
    record.num_starts_ahead = load.starts.size() + load.num_waiting;
    return;
  }
  record.started = clock_.Now();
  load.starts.push_back(clock_.Now());
  live_[request].ticket = *std::move(result);
  At(clock_.Now() + Exponential(options_.mean_stream_time), [this, request] {
    requests_[request].finished = clock_.Now();
    live_[request].ticket->SetOutcome(50);
    live_[request].ticket.reset();
  });
}

void MeshSimulation::Tick() {
  admission_.Tick();
  if (leaving_ > 0) {
    for (const size_t request : std::vector<size_t>(waiting_)) {
      const bool leaves =
          static_cast<double>(random_() >> 11) * 0x1.0p-53 < leaving_;
      if (!leaves || !live_[request].place.has_value()) continue;
      live_[request].place.reset();
      requests_[request].left = true;
      --tenants_[requests_[request].tenant].num_waiting;
      std::erase(waiting_, request);
    }
  }
  At(clock_.Now() + kTickInterval, [this] { Tick(); });
}

void MeshSimulation::RunUntil(absl::Time end) {
  while (events_.top().time <= end) {
    const Event event = events_.top();
    events_.pop();
    clock_.Advance(event.time - clock_.Now());
    event.happen();
  }
  clock_.Advance(end - clock_.Now());
}

void MeshSimulation::Run(absl::Duration duration) {
  RunUntil(clock_.Now() + duration);
}

void MeshSimulation::RunToEnd() {
  for (size_t i = 0; i < tenants_.size(); ++i) SetLoad(i, 0);
  // 30 times the mean: no stream is that long.
  Run(options_.admission.max_wait + 30 * options_.mean_stream_time);
}

double MeshSimulation::FinishedPerSecond(absl::Time from, absl::Time to,
                                         std::optional<size_t> tenant) const {
  const auto count = std::count_if(
      requests_.begin(), requests_.end(), [&](const Request& request) {
        return IsIn(request.finished, from, to) &&
               (!tenant.has_value() || request.tenant == *tenant);
      });
  return static_cast<double>(count) / absl::ToDoubleSeconds(to - from);
}

absl::Duration MeshSimulation::LatencyQuantile(absl::Time from, absl::Time to,
                                               double quantile) const {
  std::vector<absl::Duration> latencies;
  for (const Request& request : requests_) {
    if (IsIn(request.asked, from, to) && request.finished.has_value()) {
      latencies.push_back(*request.finished - request.asked);
    }
  }
  if (latencies.empty()) return absl::ZeroDuration();
  std::sort(latencies.begin(), latencies.end());
  const double last = static_cast<double>(latencies.size() - 1);
  return latencies[static_cast<size_t>(quantile * last)];
}

std::optional<double> MeshSimulation::TrueHints(absl::Time from,
                                                absl::Time to) const {
  double num_known = 0;
  double num_true = 0;
  for (const Request& request : requests_) {
    const auto& starts = tenants_[request.tenant].starts;
    if (!IsIn(request.refused, from, to) ||
        request.num_starts_ahead >= starts.size()) {
      continue;
    }
    const absl::Duration wait =
        starts[request.num_starts_ahead] - *request.refused;
    ++num_known;
    if (absl::AbsDuration(request.hint - wait) <= wait / 2) ++num_true;
  }
  if (num_known == 0) return std::nullopt;
  return num_true / num_known;
}

}  // namespace mesh::gateway
