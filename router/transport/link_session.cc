// SPDX-License-Identifier: Apache-2.0
#include "router/transport/link_session.h"

#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace mesh::router {
namespace {

constexpr absl::string_view kHelloKey = "expertmesh link 1 hello";
constexpr absl::string_view kAckKey = "expertmesh link 1 hello ack";
constexpr absl::string_view kToAcceptorKey = "expertmesh link 1 to acceptor";
constexpr absl::string_view kToDialerKey = "expertmesh link 1 to dialer";

template <typename T>
absl::string_view AsText(const T& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// `nonces`: the dialer's, or the dialer's and the acceptor's.
MacKey DeriveKey(const Secret& token, absl::string_view purpose,
                 uint64_t link_id, absl::string_view nonces) {
  char id[sizeof(link_id)];
  std::memcpy(id, &link_id, sizeof(id));
  const std::string message =
      absl::StrCat(purpose, absl::string_view(id, sizeof(id)), nonces);
  return MacKey(MacKey(token).Mac(
      std::as_bytes(std::span(message.data(), message.size()))));
}

absl::Status NotGenuine(const char* what) {
  return absl::PermissionDeniedError(
      absl::StrCat("link: ", what, " is not genuine"));
}

// The hello is of the first key's making and says nothing else.
bool IsFirstMessage(const LinkHeader& header, LinkKind kind,
                    LinkDirection direction,
                    std::span<const std::byte> payload) {
  return header.kind == kind && header.direction == direction &&
         header.sequence == 0 && header.length == kNonceBytes &&
         payload.size() == kNonceBytes;
}

}  // namespace

LinkSession::LinkSession(uint64_t link_id, const Secret& token,
                         LinkDirection direction, MacKey send_key)
    : link_id_(link_id),
      token_(token),
      direction_(direction),
      send_key_(std::move(send_key)) {
  window_.Admit(0);  // the hello's or the ack's
}

LinkSession LinkSession::Dial(uint64_t link_id, const Secret& token,
                              const Nonce& nonce) {
  LinkSession session(link_id, token, LinkDirection::kToAcceptor,
                      DeriveKey(token, kToAcceptorKey, link_id, AsText(nonce)));
  session.dialer_nonce_ = nonce;
  session.first_key_ = DeriveKey(token, kHelloKey, link_id, "");
  return session;
}

absl::StatusOr<LinkSession> LinkSession::Accept(
    const Secret& token, const Nonce& nonce,
    std::span<const std::byte> hello_header,
    std::span<const std::byte> hello_payload) {
  const auto header = DecodeLinkHeader(hello_header);
  if (!header.ok() ||
      !IsFirstMessage(*header, LinkKind::kHello, LinkDirection::kToAcceptor,
                      hello_payload)) {
    return NotGenuine("the hello");
  }
  const uint64_t link_id = header->link_id;
  MacKey hello_key = DeriveKey(token, kHelloKey, link_id, "");
  if (!HeaderIsGenuine(hello_header, hello_key) ||
      !PayloadBelongs(hello_header, hello_payload)) {
    return NotGenuine("the hello");
  }
  const std::string dialer_nonce(AsText(hello_payload));
  const std::string nonces = absl::StrCat(dialer_nonce, AsText(nonce));
  LinkSession session(link_id, token, LinkDirection::kToDialer,
                      DeriveKey(token, kToDialerKey, link_id, nonces));
  session.first_key_ = DeriveKey(token, kAckKey, link_id, dialer_nonce);
  session.receive_key_ =
      DeriveKey(token, kToAcceptorKey, link_id, dialer_nonce);
  return session;
}

LinkHeaderBytes LinkSession::Seal(LinkKind kind, uint64_t cookie,
                                  std::span<const std::byte> payload) {
  const bool first = kind == LinkKind::kHello || kind == LinkKind::kHelloAck;
  return SealHeader({.kind = kind,
                     .direction = direction_,
                     .link_id = link_id_,
                     .sequence = next_sequence_++,
                     .cookie = cookie},
                    payload, first ? *first_key_ : send_key_);
}

absl::Status LinkSession::TakeAck(std::span<const std::byte> header,
                                  std::span<const std::byte> payload) {
  if (IsOpen()) return absl::FailedPreconditionError("link: no ack is due");
  const auto decoded = DecodeLinkHeader(header);
  if (!decoded.ok() || !IsFirstMessage(*decoded, LinkKind::kHelloAck,
                                       LinkDirection::kToDialer, payload)) {
    return NotGenuine("the ack");
  }
  const absl::string_view own_nonce = AsText(dialer_nonce_);
  MacKey ack_key = DeriveKey(token_, kAckKey, link_id_, own_nonce);
  if (!HeaderIsGenuine(header, ack_key) || !PayloadBelongs(header, payload)) {
    return NotGenuine("the ack");
  }
  receive_key_ = DeriveKey(token_, kToDialerKey, link_id_,
                           absl::StrCat(own_nonce, AsText(payload)));
  return absl::OkStatus();
}

absl::Status LinkSession::Admit(const LinkHeader& header,
                                std::span<const std::byte> header_bytes) {
  if (!IsOpen()) {
    return absl::FailedPreconditionError("link: a message before the hello");
  }
  if (header.direction == direction_ || header.kind == LinkKind::kHello ||
      header.kind == LinkKind::kHelloAck ||
      !HeaderIsGenuine(header_bytes, *receive_key_)) {
    return NotGenuine("a message");
  }
  if (!window_.Admit(header.sequence)) {
    return absl::AlreadyExistsError("link: a message was sent again");
  }
  return absl::OkStatus();
}

}  // namespace mesh::router
