// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mesh::gateway {

// Two connected stream sockets that do not block; the caller closes them.
struct SocketPair {
  int ours = -1;
  int theirs = -1;
};

// `name` is what the other end sees as its peer, in the abstract namespace; it
// sees none if that is taken. Errors: kResourceExhausted without descriptors.
absl::StatusOr<SocketPair> MakeSocketPair(absl::string_view name);

}  // namespace mesh::gateway
