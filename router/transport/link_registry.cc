// SPDX-License-Identifier: Apache-2.0
#include "router/transport/link_registry.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "router/transport/link_address.h"

namespace mesh::router {

LinkRegistry::LinkRegistry(const Options& options, const Clock& clock)
    : options_(options), clock_(clock) {}

absl::StatusOr<LinkOffer> LinkRegistry::Offer(
    const std::string& caller, const std::string& caller_address) {
  ASSIGN_OR_RETURN(std::string worker_address,
                   UnwrapWorkerAddress(caller_address));
  Secret token;
  uint64_t link_id = 0;
  RETURN_IF_ERROR(FillRandom(token));
  RETURN_IF_ERROR(FillRandom(std::as_writable_bytes(std::span(&link_id, 1))));
  MutexLock lock(mutex_);
  if (closed_) {
    return absl::UnavailableError(
        "this node's data plane is closed; try another node");
  }
  DropExpired();
  const int num_links = num_open_ + static_cast<int>(pending_.size());
  if (num_links >= options_.max_links) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "all %d links of this node are open or being opened; try again in %s",
        options_.max_links, absl::FormatDuration(options_.token_lifetime)));
  }
  const bool is_new =
      pending_
          .emplace(link_id, Pending{token, caller, std::move(worker_address),
                                    clock_.Now() + options_.token_lifetime})
          .second;
  if (!is_new) return absl::UnavailableError("this link is taken; try again");
  return LinkOffer{
      .address = options_.local_address,
      .link_id = link_id,
      .token = std::string(reinterpret_cast<const char*>(token.data()),
                           token.size())};
}

absl::StatusOr<AcceptedLink> LinkRegistry::Accept(
    uint64_t link_id, std::span<const std::byte> header,
    std::span<const std::byte> payload) {
  Nonce nonce;
  RETURN_IF_ERROR(FillRandom(nonce));
  MutexLock lock(mutex_);
  DropExpired();
  const auto found = pending_.find(link_id);
  if (closed_ || found == pending_.end()) {
    return absl::PermissionDeniedError("link: no such offer");
  }
  ASSIGN_OR_RETURN(
      LinkSession session,
      LinkSession::Accept(found->second.token, nonce, header, payload));
  AcceptedLink link{.session = std::move(session),
                    .nonce = nonce,
                    .caller = std::move(found->second.caller),
                    .caller_address = std::move(found->second.caller_address)};
  pending_.erase(found);
  ++num_open_;
  return link;
}

void LinkRegistry::SetNumOpen(int num_open) {
  MutexLock lock(mutex_);
  num_open_ = num_open;
}

void LinkRegistry::Close() {
  MutexLock lock(mutex_);
  closed_ = true;
  pending_.clear();
}

void LinkRegistry::DropExpired() {
  const absl::Time now = clock_.Now();
  absl::erase_if(
      pending_, [&](const auto& entry) { return entry.second.expires <= now; });
}

}  // namespace mesh::router
