// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "router/transport/link_acceptor.h"
#include "router/transport/link_session.h"

namespace mesh::router {

// A link whose hello was right.
struct AcceptedLink {
  LinkSession session;
  Nonce nonce;  // the acceptor's, for the ack
  std::string caller;
  std::string caller_address;
};

// The offers of a UCX transport that no hello has taken yet. Thread-safe.
class LinkRegistry final : public LinkAcceptor {
 public:
  struct Options {
    std::string local_address;  // of the transport
    absl::Duration token_lifetime;
    int max_links = 0;  // open and pending
  };

  // `clock` must outlive the registry's use.
  LinkRegistry(const Options& options, const Clock& clock);

  absl::StatusOr<LinkOffer> Offer(const std::string& caller,
                                  const std::string& caller_address) override;

  // A hello that proves a pending offer's token takes the offer. Errors:
  // kPermissionDenied for any other hello; nothing has changed then, so a
  // forged one costs nobody their offer.
  absl::StatusOr<AcceptedLink> Accept(uint64_t link_id,
                                      std::span<const std::byte> header,
                                      std::span<const std::byte> payload);

  // How many links the transport has.
  void SetNumOpen(int num_open);
  // The transport is gone.
  void Close();

 private:
  struct Pending {
    Secret token;
    std::string caller;
    std::string caller_address;
    absl::Time expires;
  };

  void DropExpired() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const Clock& clock_;
  Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int num_open_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<uint64_t, Pending> pending_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::router
