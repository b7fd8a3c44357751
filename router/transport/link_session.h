// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "router/transport/link_protocol.h"
#include "router/transport/replay_window.h"

namespace mesh::router {

// One end of a link: seals what leaves, admits what arrives. It knows keys and
// sequence numbers, and no network. Owned by one thread.
//
// Every key is HMAC-SHA256(token, purpose, link id, nonces). The token is fresh
// from the acceptor and good for one hello, so the dialer's keys need its own
// nonce only, and it may send at once; the acceptor's need both nonces.
class LinkSession {
 public:
  // The dialer's end; its first message is the hello with `nonce` as payload.
  static LinkSession Dial(uint64_t link_id, const Secret& token,
                          const Nonce& nonce);

  // The acceptor's end; its first message is the ack with `nonce` as payload.
  // Errors: kPermissionDenied if the hello was not made with `token`, or is
  // not one.
  static absl::StatusOr<LinkSession> Accept(
      const Secret& token, const Nonce& nonce,
      std::span<const std::byte> hello_header,
      std::span<const std::byte> hello_payload);

  uint64_t LinkId() const { return link_id_; }
  LinkDirection SendDirection() const { return direction_; }
  // Whether the other end has proved that it has the token.
  bool IsOpen() const { return receive_key_.has_value(); }

  // The header of the next message to leave.
  LinkHeaderBytes Seal(LinkKind kind, uint64_t cookie,
                       std::span<const std::byte> payload);

  // Takes the acceptor's answer to the hello. Errors: kPermissionDenied if it
  // is not genuine; kFailedPrecondition if none is due.
  absl::Status TakeAck(std::span<const std::byte> header,
                       std::span<const std::byte> payload);

  // Whether a frame, ping or pong may come in; nothing is remembered of one
  // that may not, and one that may is admitted once. Its payload is still to
  // be compared: PayloadBelongs(). Errors: kFailedPrecondition before the
  // hello; kPermissionDenied for a wrong MAC or direction; kAlreadyExists for
  // a sequence number that was seen or is too old.
  absl::Status Admit(const LinkHeader& header,
                     std::span<const std::byte> header_bytes);

 private:
  LinkSession(uint64_t link_id, const Secret& token, LinkDirection direction,
              MacKey send_key);

  uint64_t link_id_;
  Secret token_;
  Nonce dialer_nonce_ = {};
  LinkDirection direction_;
  MacKey send_key_;
  std::optional<MacKey> first_key_;  // for the hello or the ack, then none
  std::optional<MacKey> receive_key_;
  uint64_t next_sequence_ = 0;
  ReplayWindow window_;
};

}  // namespace mesh::router
