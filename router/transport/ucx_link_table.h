// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "core/ids.h"
#include "router/transport/ucx_link.h"

namespace mesh::router {

// The links of a UCX transport. A link that is closed stays here, out of
// sight, until UCX no longer uses it. A new link goes on with the endpoint of
// the one before it: a dialed link with that of a link whose hello was never
// answered, an accepted link with that of the link that it replaces, since a
// worker has one link to us at a time. Owned by the transport's thread.
class UcxLinkTable {
 public:
  UcxLinkTable() = default;
  UcxLinkTable(const UcxLinkTable&) = delete;
  UcxLinkTable& operator=(const UcxLinkTable&) = delete;

  // A new link with an id that no other had. An accepted link from the same
  // worker fails. REQUIRES: !Has(session).
  UcxLink& Add(LinkSession session, const std::string& worker_address);
  // Whether a link of the same id and direction is open.
  bool Has(const LinkSession& session) const;

  // Errors: kInvalidArgument if there never was such a peer; kUnavailable if
  // it is lost.
  absl::StatusOr<UcxLink*> Find(PeerId id) const;
  // Whom a message is for; null if for nobody.
  UcxLink* FindReceiver(const LinkHeader& header) const;
  // The sound link that was dialed to that address; null if there is none.
  UcxLink* FindDialed(const std::string& worker_address) const;
  // Any link; null if there is none.
  UcxLink* Any() const;

  int NumOpen() const { return static_cast<int>(links_.size()); }
  // Links whose Failure() is to be reported.
  bool HasFailed() const { return !failed_.empty(); }
  std::vector<PeerId> TakeFailed();

  void Close(PeerId id);
  // Also the endpoints that were kept.
  void CloseAll();
  // Frees what UCX no longer uses; whether something is left that it uses.
  bool Reap();

 private:
  using ByLinkId = absl::flat_hash_map<uint64_t, UcxLink*>;
  ByLinkId& Of(LinkDirection send_direction) {
    return by_link_id_[static_cast<int>(send_direction)];
  }
  const ByLinkId& Of(LinkDirection send_direction) const {
    return by_link_id_[static_cast<int>(send_direction)];
  }

  using ByAddress = absl::flat_hash_map<std::string, PeerId>;

  std::unique_ptr<UcxEndpoint> TakeEndpoint(UcxLink& link);
  void Release(std::unique_ptr<UcxEndpoint> endpoint);

  uint32_t next_id_ = 0;
  absl::flat_hash_map<PeerId, std::unique_ptr<UcxLink>> links_;
  // One for the links that were dialed, one for those that were accepted.
  ByLinkId by_link_id_[2];
  ByAddress dialed_;    // by worker address, the latest
  ByAddress accepted_;  // likewise
  // Of dialed links that were closed without an answer, by worker address.
  absl::flat_hash_map<std::string, std::unique_ptr<UcxEndpoint>> kept_;
  std::vector<PeerId> failed_;
  std::vector<std::unique_ptr<UcxLink>> closed_;
  std::vector<std::unique_ptr<UcxEndpoint>> released_;
};

}  // namespace mesh::router
