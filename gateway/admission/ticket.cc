// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/ticket.h"

#include <utility>

#include "gateway/admission/admission.h"

namespace mesh::gateway {

Ticket::Ticket(Ticket&& other) noexcept
    : admission_(std::exchange(other.admission_, nullptr)),
      account_(other.account_),
      asked_(other.asked_),
      started_(other.started_),
      charged_completion_tokens_(other.charged_completion_tokens_),
      num_completion_tokens_(other.num_completion_tokens_) {}

Ticket& Ticket::operator=(Ticket&& other) noexcept {
  // What was held here is given back when `taken` ends.
  Ticket taken(std::move(other));
  std::swap(admission_, taken.admission_);
  std::swap(account_, taken.account_);
  std::swap(asked_, taken.asked_);
  std::swap(started_, taken.started_);
  std::swap(charged_completion_tokens_, taken.charged_completion_tokens_);
  std::swap(num_completion_tokens_, taken.num_completion_tokens_);
  return *this;
}

Ticket::~Ticket() {
  if (admission_ != nullptr) admission_->Release(*this);
}

Place::Place(Place&& other) noexcept
    : admission_(std::exchange(other.admission_, nullptr)), id_(other.id_) {}

Place& Place::operator=(Place&& other) noexcept {
  if (this == &other) return *this;
  Leave();
  admission_ = std::exchange(other.admission_, nullptr);
  id_ = other.id_;
  return *this;
}

Place::~Place() { Leave(); }

void Place::Leave() {
  if (Admission* admission = std::exchange(admission_, nullptr)) {
    admission->Leave(id_);
  }
}

}  // namespace mesh::gateway
