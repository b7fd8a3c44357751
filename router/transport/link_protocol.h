// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "router/transport/link_crypto.h"

namespace mesh::router {

// The messages of a link, byte by byte: docs/wire_format.md is their
// definition. Each is one UCX active message: a header of fixed size and a
// payload. Integers are little-endian.

inline constexpr uint32_t kLinkMagic = 0x4c584d45;  // "EMXL"
inline constexpr uint8_t kLinkVersion = 1;
inline constexpr unsigned kLinkAmId = 77;  // UCX's number for our messages
inline constexpr size_t kNonceBytes = 16;

// Offsets in the header.
inline constexpr size_t kLinkMagicAt = 0;      // u32
inline constexpr size_t kLinkVersionAt = 4;    // u8
inline constexpr size_t kLinkKindAt = 5;       // u8
inline constexpr size_t kLinkDirectionAt = 6;  // u8
inline constexpr size_t kLinkZeroAt = 7;       // u8
inline constexpr size_t kLinkIdAt = 8;         // u64
inline constexpr size_t kLinkSequenceAt = 16;  // u64
inline constexpr size_t kLinkCookieAt = 24;    // u64
inline constexpr size_t kLinkLengthAt = 32;    // u64, of the payload
inline constexpr size_t kLinkDigestAt = 40;    // 16 bytes: SHA-256 of the first
                                               // 64 bytes of the payload, cut
inline constexpr size_t kLinkMacAt = 56;  // 16 bytes: HMAC-SHA256 of what is
                                          // before it, cut
inline constexpr size_t kLinkHeaderBytes = 72;
inline constexpr size_t kLinkTagBytes = 16;  // of digest and MAC
inline constexpr size_t kDigestedBytes = 64;

enum class LinkKind : uint8_t {
  kHello = 1,     // payload: the dialer's nonce
  kHelloAck = 2,  // payload: the acceptor's nonce
  kFrame = 3,
  kPing = 4,
  kPong = 5,  // payload and cookie of the ping
};

enum class LinkDirection : uint8_t { kToAcceptor = 0, kToDialer = 1 };

struct LinkHeader {
  LinkKind kind = LinkKind::kFrame;
  LinkDirection direction = LinkDirection::kToAcceptor;
  uint64_t link_id = 0;
  uint64_t sequence = 0;  // 0 for the hello and its ack, then 1, 2, ...
  uint64_t cookie = 0;    // of pings and pongs, else 0
  uint64_t length = 0;

  friend bool operator==(const LinkHeader&, const LinkHeader&) = default;
};

using LinkHeaderBytes = std::array<std::byte, kLinkHeaderBytes>;
using Nonce = std::array<std::byte, kNonceBytes>;

// The header of a message with this payload, under `key`.
LinkHeaderBytes SealHeader(const LinkHeader& header,
                           std::span<const std::byte> payload, MacKey& key);

// Checks form only: size, magic, version, kind, direction and what must be
// zero. Errors: kInvalidArgument.
absl::StatusOr<LinkHeader> DecodeLinkHeader(std::span<const std::byte> header);

// REQUIRES: `header` is of kLinkHeaderBytes bytes.
bool HeaderIsGenuine(std::span<const std::byte> header, MacKey& key);
// Whether the beginning of `payload` is the one that the header was made for.
bool PayloadBelongs(std::span<const std::byte> header,
                    std::span<const std::byte> payload);

}  // namespace mesh::router
