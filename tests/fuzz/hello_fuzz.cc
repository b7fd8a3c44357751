// SPDX-License-Identifier: Apache-2.0
// Link messages in any order, as they are or damaged. The input is a list of
// steps: what to do, how many bytes, the bytes. Nothing may open a link but its
// hello, nothing may enter before it, nothing may enter twice or changed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/check.h"
#include "core/clock.h"
#include "router/transport/link_registry.h"
#include "tests/router/transport/link_messages.h"

namespace mesh::router {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint64_t kLinkId = 5;

// Xors the bytes of `change`, but the first, into header and payload, from
// the place on that the first names.
void Damage(LinkMessage& message, Bytes change) {
  const size_t size = kLinkHeaderBytes + message.payload.size();
  for (size_t i = 1; i < change.size(); ++i) {
    const size_t at = (static_cast<size_t>(change[0]) + i - 1) % size;
    std::byte& byte = at < kLinkHeaderBytes
                          ? message.header[at]
                          : message.payload[at - kLinkHeaderBytes];
    byte ^= change[i];
  }
}

class Machine {
 public:
  void Step(int what, Bytes bytes) {
    switch (what % 6) {
      case 0:
        return TakeRaw(bytes);
      case 1:
        return TakeHello(bytes);
      case 2:
        return TakeFrame(bytes);
      case 3:
        return Replay(bytes);
      case 4:
        return TakeAck(bytes);
      default:
        return AskRegistry(bytes);
    }
  }

 private:
  static LinkMessage Split(Bytes bytes) {
    LinkMessage message = {};
    const size_t head = std::min(bytes.size(), kLinkHeaderBytes);
    std::copy_n(bytes.begin(), head, message.header.begin());
    message.payload.assign(bytes.begin() + static_cast<ptrdiff_t>(head),
                           bytes.end());
    return message;
  }

  // Bytes of a stranger.
  void TakeRaw(Bytes bytes) {
    const LinkMessage message = Split(bytes);
    const auto decoded = DecodeLinkHeader(bytes);
    MESH_CHECK(!decoded.ok() || bytes.size() == kLinkHeaderBytes);
    MESH_CHECK(!LinkSession::Accept(token_, acceptor_nonce_, message.header,
                                    message.payload)
                    .ok());
    if (acceptor_.has_value()) MESH_CHECK(!MayEnter(*acceptor_, message));
    MESH_CHECK(!MayEnter(dialer_, message));
    MESH_CHECK(dialer_.IsOpen() == acked_);
  }

  void TakeHello(Bytes change) {
    LinkMessage hello = hello_;
    Damage(hello, change);
    const bool same =
        hello.header == hello_.header && hello.payload == hello_.payload;
    auto session = LinkSession::Accept(token_, acceptor_nonce_, hello.header,
                                       hello.payload);
    MESH_CHECK(session.ok() == same);
    if (!same || acceptor_.has_value()) return;
    acceptor_.emplace(*std::move(session));
    ack_ = Seal(*acceptor_, LinkKind::kHelloAck, BytesOf(acceptor_nonce_));
  }

  void TakeAck(Bytes change) {
    if (!acceptor_.has_value()) return;
    LinkMessage ack = *ack_;
    Damage(ack, change);
    const bool same =
        ack.header == ack_->header && ack.payload == ack_->payload;
    MESH_CHECK(dialer_.TakeAck(ack.header, ack.payload).ok() ==
               (same && !acked_));
    acked_ = acked_ || same;
    MESH_CHECK(dialer_.IsOpen() == acked_);
  }

  void TakeFrame(Bytes change) {
    const size_t size = change.empty() ? 1 : 1 + change.size() % 60;
    const LinkMessage frame =
        Seal(dialer_, LinkKind::kFrame, std::vector<std::byte>(size));
    LinkMessage damaged = frame;
    Damage(damaged, change);
    const bool same =
        damaged.header == frame.header && damaged.payload == frame.payload;
    if (!acceptor_.has_value()) return;  // there is nobody to enter to
    MESH_CHECK(MayEnter(*acceptor_, damaged) == same);
    if (same) entered_.push_back(frame);
  }

  void Replay(Bytes bytes) {
    if (entered_.empty() || bytes.empty()) return;
    const LinkMessage& old =
        entered_[static_cast<size_t>(bytes[0]) % entered_.size()];
    MESH_CHECK(!MayEnter(*acceptor_, old));
    MESH_CHECK(!MayEnter(dialer_, old));
  }

  // A door that has an offer, of which the bytes know nothing.
  void AskRegistry(Bytes bytes) {
    const LinkMessage message = Split(bytes);
    const auto header = DecodeLinkHeader(message.header);
    if (!header.ok()) return;
    const RealClock clock;
    LinkRegistry registry({.local_address = "here",
                           .token_lifetime = absl::Hours(1),
                           .max_links = 1},
                          clock);
    MESH_CHECK(
        !registry.Accept(header->link_id, message.header, message.payload)
             .ok());
  }

  const Secret token_ = TestToken(7);  // not that of the corpus
  const Nonce dialer_nonce_ = TestNonce(100);
  const Nonce acceptor_nonce_ = TestNonce(200);
  LinkSession dialer_ = LinkSession::Dial(kLinkId, token_, dialer_nonce_);
  const LinkMessage hello_ =
      Seal(dialer_, LinkKind::kHello, BytesOf(dialer_nonce_));
  std::optional<LinkSession> acceptor_;
  std::optional<LinkMessage> ack_;
  std::vector<LinkMessage> entered_;
  bool acked_ = false;
};

}  // namespace
}  // namespace mesh::router

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mesh::router::Machine machine;
  std::span<const std::byte> rest(reinterpret_cast<const std::byte*>(data),
                                  size);
  for (int step = 0; step < 200 && rest.size() >= 2; ++step) {
    const int what = static_cast<int>(rest[0]);
    const size_t count =
        std::min(static_cast<size_t>(rest[1]), rest.size() - 2);
    machine.Step(what, rest.subspan(2, count));
    rest = rest.subspan(2 + count);
  }
  return 0;
}
