// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/digest.h"
#include "mesh/common/v1/types.pb.h"

namespace mesh::service {

// A digest as protos carry it: 16 bytes, in the order of ToHex().
std::string DigestBytes(const Digest& digest);
// Errors: kInvalidArgument unless there are 16 bytes.
absl::StatusOr<Digest> ParseDigestBytes(absl::string_view bytes);

// What this program speaks. A role without a model leaves both empty.
common::v1::Handshake MakeHandshake();
common::v1::Handshake MakeHandshake(const Digest& model_digest,
                                    absl::string_view numerics_class);

// Whether the two can work together; what one side leaves empty is not
// compared. `peer` names the other side in the message. Errors:
// kFailedPrecondition with both sides' values; kInvalidArgument for what no
// program sends.
absl::Status CheckHandshake(const common::v1::Handshake& ours,
                            const common::v1::Handshake& theirs,
                            absl::string_view peer);

}  // namespace mesh::service
