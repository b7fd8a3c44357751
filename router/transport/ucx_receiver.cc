// SPDX-License-Identifier: Apache-2.0
#include "router/transport/ucx_receiver.h"

#include <cstring>
#include <utility>

namespace mesh::router {

absl::Status UcxReceiver::Listen() {
  return parts_.worker.SetHandlers(kLinkAmId, &UcxReceiver::OnMessage,
                                   &UcxReceiver::OnStray, this);
}

ucs_status_t UcxReceiver::OnStray(void* arg, const void*, size_t, void*, size_t,
                                  const ucp_am_recv_param_t*) {
  static_cast<UcxReceiver*>(arg)->Drop(nullptr);
  return UCS_OK;
}

ucs_status_t UcxReceiver::OnMessage(void* arg, const void* header,
                                    size_t header_size, void* data, size_t size,
                                    const ucp_am_recv_param_t* param) {
  const bool is_rendezvous =
      (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0;
  static_cast<UcxReceiver*>(arg)->Take(
      {static_cast<const std::byte*>(header), header_size},
      {data, size, is_rendezvous});
  // Eager bytes are copied by now; a rendezvous that was not received is
  // refused by this.
  return UCS_OK;
}

void UcxReceiver::Take(std::span<const std::byte> header_bytes,
                       const Payload& payload) {
  const auto header = DecodeLinkHeader(header_bytes);
  if (!header.ok() || header->length != payload.size) return Drop(nullptr);
  if (header->kind == LinkKind::kHello) {
    return TakeHello(*header, header_bytes, payload);
  }
  UcxLink* const link = parts_.links.FindReceiver(*header);
  if (link == nullptr || !link->Failure().ok()) return Drop(nullptr);
  if (header->kind != LinkKind::kHelloAck) {
    return TakePayload(*link, *header, header_bytes, payload);
  }
  if (payload.is_rendezvous ||
      !link->Session().TakeAck(header_bytes, payload.Bytes()).ok()) {
    return Drop(link);
  }
  link->SetHelloDue(absl::InfiniteFuture());
}

void UcxReceiver::TakeHello(const LinkHeader& header,
                            std::span<const std::byte> header_bytes,
                            const Payload& payload) {
  if (payload.is_rendezvous) {
    ++parts_.counters.hellos_rejected;
    return;
  }
  auto accepted =
      parts_.registry.Accept(header.link_id, header_bytes, payload.Bytes());
  if (!accepted.ok() || parts_.links.Has(accepted->session)) {
    ++parts_.counters.hellos_rejected;
    return;
  }
  const UcxLink& link =
      parts_.links.Add(std::move(accepted->session), accepted->caller_address);
  parts_.counters.num_links = parts_.links.NumOpen();
  to_answer_.push_back({link.Id(), accepted->nonce});
}

void UcxReceiver::TakePayload(UcxLink& link, const LinkHeader& header,
                              std::span<const std::byte> header_bytes,
                              const Payload& payload) {
  if (payload.size == 0 || payload.size > parts_.max_frame_bytes ||
      !link.Session().Admit(header, header_bytes).ok()) {
    return Drop(&link);
  }
  if (!payload.is_rendezvous &&
      !PayloadBelongs(header_bytes, payload.Bytes())) {
    return Drop(&link);
  }
  auto frame = parts_.pool.Take(payload.size);
  if (!frame.ok()) return Drop(nullptr);
  if (!payload.is_rendezvous) {
    std::memcpy((*frame)->Bytes().data(), payload.data, payload.size);
    arrived_.push_back({link.Id(), header, *std::move(frame)});
    return;
  }
  LinkHeaderBytes kept;
  std::memcpy(kept.data(), header_bytes.data(), kept.size());
  const absl::Status started =
      link.Receive(parts_.worker.Handle(), payload.data, kept,
                   *std::move(frame), &UcxReceiver::OnReceived, this);
  if (!started.ok()) Drop(nullptr);
}

void UcxReceiver::OnReceived(void* arg, UcxLink& link,
                             const LinkHeaderBytes& header, Frame frame) {
  auto& receiver = *static_cast<UcxReceiver*>(arg);
  const auto decoded = DecodeLinkHeader(header);
  if (frame == nullptr || !decoded.ok()) return receiver.Drop(nullptr);
  if (!PayloadBelongs(header, frame->Bytes())) return receiver.Drop(&link);
  receiver.arrived_.push_back({link.Id(), *decoded, std::move(frame)});
}

void UcxReceiver::Drop(UcxLink* link) {
  ++parts_.counters.messages_dropped;
  if (link != nullptr && link->CountBadMessage(parts_.clock.Now())) {
    link->Fail(absl::UnavailableError(
        "the link is closed: too many messages that are not genuine"));
  }
}

}  // namespace mesh::router
