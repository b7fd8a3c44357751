// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mesh::gateway {

// A name in the abstract namespace for our end of a socket pair, so that gRPC
// at the other end sees as its peer the client's address: what a handler gets
// from context->peer(). `unique` keeps apart the connections of one address.
std::string NameOfClient(absl::string_view address, absl::string_view unique);

// The client's address, without its port, from context->peer(): of a guarded
// port, or of a port of gRPC's own ("ipv4:203.0.113.5:4711"). `peer` as it is,
// if it is none of these.
std::string ClientAddress(absl::string_view peer);

}  // namespace mesh::gateway
