// SPDX-License-Identifier: Apache-2.0
#include "router/transport/ucx_link_table.h"

#include <utility>

#include "core/check.h"

namespace mesh::router {

namespace {

bool IsDialed(const LinkSession& session) {
  return session.SendDirection() == LinkDirection::kToAcceptor;
}

}  // namespace

UcxLink& UcxLinkTable::Add(LinkSession session,
                           const std::string& worker_address) {
  MESH_CHECK(!Has(session));
  const PeerId id{next_id_++};
  const uint64_t link_id = session.LinkId();
  const LinkDirection direction = session.SendDirection();
  auto& link = links_[id] = std::make_unique<UcxLink>(id, std::move(session),
                                                      worker_address, &failed_);
  Of(direction)[link_id] = link.get();
  link->Adopt(TakeEndpoint(*link));
  (IsDialed(link->Session()) ? dialed_ : accepted_)[worker_address] = id;
  return *link;
}

std::unique_ptr<UcxEndpoint> UcxLinkTable::TakeEndpoint(UcxLink& link) {
  std::unique_ptr<UcxEndpoint> endpoint;
  if (IsDialed(link.Session())) {
    const auto kept = kept_.find(link.WorkerAddress());
    if (kept == kept_.end()) return nullptr;
    endpoint = std::move(kept->second);
    kept_.erase(kept);
  } else {
    const auto found = accepted_.find(link.WorkerAddress());
    if (found == accepted_.end()) return nullptr;
    UcxLink& replaced = *links_.at(found->second);
    replaced.Fail(absl::UnavailableError("ucx: the node opened a new link"));
    endpoint = replaced.GiveEndpoint();
  }
  if (endpoint == nullptr || !endpoint->Failed()) return endpoint;
  Release(std::move(endpoint));
  return nullptr;
}

void UcxLinkTable::Release(std::unique_ptr<UcxEndpoint> endpoint) {
  if (endpoint == nullptr) return;
  endpoint->Close();
  released_.push_back(std::move(endpoint));
}

bool UcxLinkTable::Has(const LinkSession& session) const {
  return Of(session.SendDirection()).contains(session.LinkId());
}

absl::StatusOr<UcxLink*> UcxLinkTable::Find(PeerId id) const {
  if (id.value >= next_id_) {
    return absl::InvalidArgumentError("ucx: no such peer");
  }
  const auto found = links_.find(id);
  if (found == links_.end()) {
    return absl::UnavailableError("ucx: the peer is lost");
  }
  return found->second.get();
}

UcxLink* UcxLinkTable::FindReceiver(const LinkHeader& header) const {
  const LinkDirection own = header.direction == LinkDirection::kToAcceptor
                                ? LinkDirection::kToDialer
                                : LinkDirection::kToAcceptor;
  const auto found = Of(own).find(header.link_id);
  return found == Of(own).end() ? nullptr : found->second;
}

UcxLink* UcxLinkTable::FindDialed(const std::string& worker_address) const {
  const auto found = dialed_.find(worker_address);
  if (found == dialed_.end()) return nullptr;
  UcxLink* const link = links_.at(found->second).get();
  return link->Failure().ok() ? link : nullptr;
}

UcxLink* UcxLinkTable::Any() const {
  return links_.empty() ? nullptr : links_.begin()->second.get();
}

std::vector<PeerId> UcxLinkTable::TakeFailed() {
  return std::exchange(failed_, {});
}

void UcxLinkTable::Close(PeerId id) {
  const auto found = links_.find(id);
  if (found == links_.end()) return;
  std::unique_ptr<UcxLink> link = std::move(found->second);
  links_.erase(found);
  Of(link->Session().SendDirection()).erase(link->Session().LinkId());
  const bool is_dialed = IsDialed(link->Session());
  ByAddress& by_address = is_dialed ? dialed_ : accepted_;
  const auto latest = by_address.find(link->WorkerAddress());
  if (latest != by_address.end() && latest->second == id) {
    by_address.erase(latest);
  }
  if (is_dialed && link->HelloDue() != absl::InfiniteFuture()) {
    std::unique_ptr<UcxEndpoint>& kept = kept_[link->WorkerAddress()];
    Release(std::exchange(kept, link->GiveEndpoint()));
  }
  link->Close();
  closed_.push_back(std::move(link));
}

void UcxLinkTable::CloseAll() {
  while (!links_.empty()) Close(links_.begin()->first);
  for (auto& [address, endpoint] : kept_) Release(std::move(endpoint));
  kept_.clear();
}

bool UcxLinkTable::Reap() {
  absl::erase_if(kept_, [this](auto& entry) {
    if (entry.second != nullptr && !entry.second->Failed()) return false;
    Release(std::move(entry.second));
    return true;
  });
  std::erase_if(closed_, [](const auto& link) { return link->Idle(); });
  std::erase_if(released_,
                [](const auto& endpoint) { return endpoint->Closed(); });
  return !closed_.empty() || !released_.empty();
}

}  // namespace mesh::router
