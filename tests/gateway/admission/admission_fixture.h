// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gateway/admission/admission.h"
#include "gateway/api_error.h"

namespace mesh::gateway {

// One request and what became of it.
class Asker {
 public:
  Asker(Admission& admission, Demand demand) {
    place_ =
        admission.Ask(std::move(demand), [this](absl::StatusOr<Ticket> result) {
          ++num_calls_;
          if (result.ok()) {
            ticket_ = *std::move(result);
          } else {
            refusal_ = result.status();
          }
        });
  }

  bool Waits() const { return num_calls_ == 0; }
  bool Runs() const { return ticket_.has_value(); }
  int NumCalls() const { return num_calls_; }
  const absl::Status& Refusal() const { return refusal_; }
  std::string Code() const { return DetailsOf(refusal_).code; }
  std::optional<absl::Duration> RetryAfter() const {
    return DetailsOf(refusal_).retry_after;
  }
  const Ticket& Held() const { return *ticket_; }

  void Finish(size_t num_tokens) {
    ticket_->SetOutcome(num_tokens);
    ticket_.reset();
  }
  void Leave() { place_ = Place(); }

 private:
  int num_calls_ = 0;
  absl::Status refusal_;
  std::optional<Ticket> ticket_;
  Place place_;
};

inline std::shared_ptr<Tenant> MakeTenant(const std::string& name) {
  auto tenant = std::make_shared<Tenant>();
  tenant->name = name;
  return tenant;
}

// Askers on virtual time.
class AdmissionTest : public testing::Test {
 protected:
  Asker& Ask(const std::shared_ptr<const Tenant>& tenant, int priority = 0,
             absl::Duration time = absl::InfiniteDuration()) {
    return Ask(Demand{.tenant = tenant,
                      .num_prompt_tokens = 10,
                      .max_tokens = 20,
                      .num_bytes = 100,
                      .priority = priority,
                      .deadline = clock_.Now() + time});
  }
  Asker& Ask(const Demand& demand) {
    return askers_.emplace_back(*admission_, demand);
  }
  // Streams have taken so long.
  void Teach(absl::Duration stream_time) {
    admission_->SetCapacity(1);
    Asker& asker = Ask(a_);
    clock_.Advance(stream_time);
    asker.Finish(20);
  }
  void Make(const Admission::Options& options) {
    admission_.emplace(options, clock_);
  }

  FakeClock clock_;
  std::optional<Admission> admission_{std::in_place, Admission::Options(),
                                      clock_};
  std::deque<Asker> askers_;  // before what they ask
  const std::shared_ptr<Tenant> a_ = MakeTenant("a");
  const std::shared_ptr<Tenant> b_ = MakeTenant("b");
};

}  // namespace mesh::gateway
