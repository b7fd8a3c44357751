// SPDX-License-Identifier: Apache-2.0
#include "model/model_digest.h"

#include <span>
#include <string>

namespace mesh::model {

Digest ModelDigest(const Checkpoint& checkpoint) {
  if (checkpoint.GetManifest() != nullptr) {
    return checkpoint.GetManifest()->ModelDigest();
  }
  DigestBuilder builder;
  for (const auto& file : checkpoint.Files()) {
    const std::string& header = file->HeaderBytes();
    builder.Update(std::as_bytes(std::span(header)));
  }
  return builder.Finish();
}

}  // namespace mesh::model
