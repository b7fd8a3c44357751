// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "core/digest.h"
#include "model/checkpoint.h"

namespace mesh::model {

// What two nodes compare to know that they serve the same model: the manifest's
// digest; without a manifest, that of all that the files' headers tell.
Digest ModelDigest(const Checkpoint& checkpoint);

}  // namespace mesh::model
