// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/cache_salt.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "core/check.h"

namespace mesh::gateway {

std::string CacheSalt(absl::string_view tenant,
                      absl::string_view request_salt) {
  // The length tells where one ends and the other begins.
  const std::string message =
      absl::StrCat(tenant.size(), ":", tenant, request_salt);
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  MESH_CHECK(EVP_Digest(message.data(), message.size(), digest.data(), &size,
                        EVP_sha256(), nullptr) == 1);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace mesh::gateway
