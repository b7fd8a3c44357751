// SPDX-License-Identifier: Apache-2.0
#include "router/transport/link_address.h"

#include <cstdint>
#include <cstring>
#include <span>

#include "absl/strings/str_cat.h"
#include "core/crc32c.h"
#include "router/transport/link_crypto.h"

namespace mesh::router {
namespace {

constexpr absl::string_view kMagic = "EMXU";
constexpr size_t kPrefixBytes = 8;  // magic and checksum
constexpr size_t kMaxAddressBytes = 4096;

uint32_t ChecksumOf(absl::string_view bytes) {
  return Crc32c(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

template <typename T>
absl::string_view BytesOf(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

}  // namespace

std::string WrapWorkerAddress(absl::string_view worker_address) {
  return absl::StrCat(kMagic, BytesOf(ChecksumOf(worker_address)),
                      worker_address);
}

absl::StatusOr<std::string> UnwrapWorkerAddress(absl::string_view address) {
  const bool sized =
      address.size() > kPrefixBytes && address.size() <= kMaxAddressBytes;
  if (!sized || address.substr(0, kMagic.size()) != kMagic) {
    return absl::InvalidArgumentError(
        "not the address of a UCX transport; both ends must use the same "
        "--transport");
  }
  const absl::string_view worker_address = address.substr(kPrefixBytes);
  uint32_t checksum = 0;
  std::memcpy(&checksum, address.data() + kMagic.size(), sizeof(checksum));
  if (checksum != ChecksumOf(worker_address)) {
    return absl::InvalidArgumentError(
        "the address of a UCX transport was damaged on its way");
  }
  return std::string(worker_address);
}

std::string PackOffer(const LinkOffer& offer) {
  return absl::StrCat(BytesOf(offer.link_id), offer.token, offer.address);
}

absl::StatusOr<LinkOffer> UnpackOffer(absl::string_view packed) {
  LinkOffer offer;
  constexpr size_t kAddressAt = sizeof(offer.link_id) + sizeof(Secret);
  if (packed.size() <= kAddressAt) {
    return absl::InvalidArgumentError("not an offer of a UCX transport");
  }
  std::memcpy(&offer.link_id, packed.data(), sizeof(offer.link_id));
  offer.token =
      std::string(packed.substr(sizeof(offer.link_id), sizeof(Secret)));
  offer.address = std::string(packed.substr(kAddressAt));
  return offer;
}

}  // namespace mesh::router
