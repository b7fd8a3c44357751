// SPDX-License-Identifier: Apache-2.0
#include "router/transport/link_protocol.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_format.h"
#include "router/transport/wire_bytes.h"

namespace mesh::router {
namespace {

absl::Status Malformed(const char* what) {
  return absl::InvalidArgumentError(absl::StrFormat("link message: %s", what));
}

Sha256Digest DigestOfBeginning(std::span<const std::byte> payload) {
  return Sha256(payload.first(std::min(payload.size(), kDigestedBytes)));
}

bool IsPing(LinkKind kind) {
  return kind == LinkKind::kPing || kind == LinkKind::kPong;
}

}  // namespace

LinkHeaderBytes SealHeader(const LinkHeader& header,
                           std::span<const std::byte> payload, MacKey& key) {
  LinkHeaderBytes bytes = {};
  std::byte* out = bytes.data();
  StoreAt(out, kLinkMagicAt, kLinkMagic);
  StoreAt(out, kLinkVersionAt, kLinkVersion);
  StoreAt(out, kLinkKindAt, static_cast<uint8_t>(header.kind));
  StoreAt(out, kLinkDirectionAt, static_cast<uint8_t>(header.direction));
  StoreAt(out, kLinkIdAt, header.link_id);
  StoreAt(out, kLinkSequenceAt, header.sequence);
  StoreAt(out, kLinkCookieAt, header.cookie);
  StoreAt(out, kLinkLengthAt, static_cast<uint64_t>(payload.size()));
  const Sha256Digest digest = DigestOfBeginning(payload);
  std::memcpy(out + kLinkDigestAt, digest.data(), kLinkTagBytes);
  const Secret mac = key.Mac(std::span(bytes).first(kLinkMacAt));
  std::memcpy(out + kLinkMacAt, mac.data(), kLinkTagBytes);
  return bytes;
}

absl::StatusOr<LinkHeader> DecodeLinkHeader(std::span<const std::byte> header) {
  if (header.size() != kLinkHeaderBytes) return Malformed("wrong header size");
  const std::byte* in = header.data();
  if (LoadAt<uint32_t>(in, kLinkMagicAt) != kLinkMagic) {
    return Malformed("wrong magic");
  }
  if (LoadAt<uint8_t>(in, kLinkVersionAt) != kLinkVersion) {
    return Malformed("unknown version");
  }
  const uint8_t kind = LoadAt<uint8_t>(in, kLinkKindAt);
  const uint8_t direction = LoadAt<uint8_t>(in, kLinkDirectionAt);
  if (kind < static_cast<uint8_t>(LinkKind::kHello) ||
      kind > static_cast<uint8_t>(LinkKind::kPong)) {
    return Malformed("unknown kind");
  }
  if (direction > 1) return Malformed("unknown direction");
  if (LoadAt<uint8_t>(in, kLinkZeroAt) != 0) {
    return Malformed("reserved byte not zero");
  }
  const LinkHeader decoded{.kind = static_cast<LinkKind>(kind),
                           .direction = static_cast<LinkDirection>(direction),
                           .link_id = LoadAt<uint64_t>(in, kLinkIdAt),
                           .sequence = LoadAt<uint64_t>(in, kLinkSequenceAt),
                           .cookie = LoadAt<uint64_t>(in, kLinkCookieAt),
                           .length = LoadAt<uint64_t>(in, kLinkLengthAt)};
  if (decoded.cookie != 0 && !IsPing(decoded.kind)) {
    return Malformed("a cookie that is not a ping's");
  }
  return decoded;
}

bool HeaderIsGenuine(std::span<const std::byte> header, MacKey& key) {
  const Secret mac = key.Mac(header.first(kLinkMacAt));
  return EqualInConstantTime(std::span(mac).first(kLinkTagBytes),
                             header.subspan(kLinkMacAt, kLinkTagBytes));
}

bool PayloadBelongs(std::span<const std::byte> header,
                    std::span<const std::byte> payload) {
  const Sha256Digest digest = DigestOfBeginning(payload);
  return EqualInConstantTime(std::span(digest).first(kLinkTagBytes),
                             header.subspan(kLinkDigestAt, kLinkTagBytes));
}

}  // namespace mesh::router
