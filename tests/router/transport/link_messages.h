// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "router/transport/link_session.h"

namespace mesh::router {

// A message as it travels.
struct LinkMessage {
  LinkHeaderBytes header;
  std::vector<std::byte> payload;
};

inline Secret TestToken(int first) {
  Secret token;
  for (size_t i = 0; i < token.size(); ++i) {
    token[i] = static_cast<std::byte>(static_cast<size_t>(first) + i);
  }
  return token;
}

inline Nonce TestNonce(int first) {
  Nonce nonce;
  for (size_t i = 0; i < nonce.size(); ++i) {
    nonce[i] = static_cast<std::byte>(static_cast<size_t>(first) + i);
  }
  return nonce;
}

inline std::vector<std::byte> BytesOf(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

inline std::vector<std::byte> BytesOf(const std::string& text) {
  return BytesOf(std::as_bytes(std::span(text.data(), text.size())));
}

inline LinkMessage Seal(LinkSession& from, LinkKind kind,
                        const std::vector<std::byte>& payload,
                        uint64_t cookie = 0) {
  return {from.Seal(kind, cookie, payload), payload};
}

// What a transport asks of every frame, ping and pong.
inline bool MayEnter(LinkSession& to, const LinkMessage& message) {
  const auto header = DecodeLinkHeader(message.header);
  return header.ok() && header->length == message.payload.size() &&
         to.Admit(*header, message.header).ok() &&
         PayloadBelongs(message.header, message.payload);
}

// Both ends of a link; open once the hello and its ack have been exchanged.
struct LinkPair {
  static constexpr uint64_t kLinkId = 0x0807060504030201;

  LinkPair() {
    const LinkMessage hello =
        Seal(dialer, LinkKind::kHello, BytesOf(dialer_nonce));
    acceptor =
        LinkSession::Accept(token, acceptor_nonce, hello.header, hello.payload);
    const LinkMessage ack =
        Seal(*acceptor, LinkKind::kHelloAck, BytesOf(acceptor_nonce));
    opened = dialer.TakeAck(ack.header, ack.payload);
  }

  Secret token = TestToken(1);
  Nonce dialer_nonce = TestNonce(100);
  Nonce acceptor_nonce = TestNonce(200);
  LinkSession dialer = LinkSession::Dial(kLinkId, token, dialer_nonce);
  absl::StatusOr<LinkSession> acceptor = absl::UnknownError("no hello yet");
  absl::Status opened;
};

}  // namespace mesh::router
