// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "router/transport/link_acceptor.h"

namespace mesh::router {

// The address of a UCX end: "EMXU", CRC-32C (u32) of what follows, then UCX's
// own worker address. UCX aborts the process on bytes that are not one, so
// whatever was damaged or mixed up is kept away from it.
std::string WrapWorkerAddress(absl::string_view worker_address);
// Errors: kInvalidArgument.
absl::StatusOr<std::string> UnwrapWorkerAddress(absl::string_view address);

// An offer as one string, for Transport::Connect(). It holds the token.
std::string PackOffer(const LinkOffer& offer);
// Errors: kInvalidArgument; the message does not repeat the string.
absl::StatusOr<LinkOffer> UnpackOffer(absl::string_view packed);

}  // namespace mesh::router
