// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/clock.h"
#include "router/transport/link_acceptor.h"
#include "router/transport/transport.h"
#include "router/transport/ucx_options.h"

namespace mesh::router {

// One end of the data plane over UCX active messages (docs/wire_format.md).
//
// A link is opened by a hello that proves the token of an offer; the dialer
// may send at once. Connect() does not wait for the other end: if it does not
// answer within `hello_timeout`, the next Poll() says that the peer is lost.
// Send() also gives kResourceExhausted, while 64 MiB are on their way.
struct UcxEnd {
  std::unique_ptr<Transport> transport;
  std::shared_ptr<LinkAcceptor> acceptor;
  std::string local_address;
};

// `clock` must outlive the transport. Errors: kInvalidArgument for options that
// make no sense; kUnavailable if UCX cannot start.
absl::StatusOr<UcxEnd> OpenUcx(const UcxOptions& options, const Clock& clock);

}  // namespace mesh::router
