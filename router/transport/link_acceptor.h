// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace mesh::router {

// What a node gives to another, over an authenticated channel, so that the
// other can Transport::Connect() to it.
struct LinkOffer {
  std::string address;   // of the offering node's end
  uint64_t link_id = 0;  // names the link in every message of it
  std::string token;     // 32 secret bytes, good for one hello
};

// The door of a transport: hands out offers. Thread-safe; may outlive the
// transport, and then refuses.
class LinkAcceptor {
 public:
  virtual ~LinkAcceptor() = default;

  // `caller` is the other node's name, for logs; `caller_address` its end's
  // Transport address. Errors: kInvalidArgument for an address that is not of
  // the transport's kind; kResourceExhausted if too many links are open or
  // pending; kUnavailable once the transport is gone.
  virtual absl::StatusOr<LinkOffer> Offer(
      const std::string& caller, const std::string& caller_address) = 0;
};

}  // namespace mesh::router
