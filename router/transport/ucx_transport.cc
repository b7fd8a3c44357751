// SPDX-License-Identifier: Apache-2.0
#include "router/transport/ucx_transport.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "core/status_macros.h"
#include "router/transport/frame_pool.h"
#include "router/transport/link_address.h"
#include "router/transport/link_registry.h"
#include "router/transport/transport_counters.h"
#include "router/transport/ucx_link_table.h"
#include "router/transport/ucx_receiver.h"
#include "router/transport/ucx_waiter.h"
#include "router/transport/ucx_worker.h"
#include "router/transport/wire_layout.h"

namespace mesh::router {
namespace {

// Polls before what has arrived is handed over.
constexpr int kMaxProgress = 64;
// What the destructor gives UCX to let go of closed links.
constexpr absl::Duration kClosingTime = absl::Milliseconds(200);

// What a transport is made of.
struct UcxParts {
  std::unique_ptr<UcxWorker> worker;
  std::unique_ptr<UcxWaiter> waiter;
  std::shared_ptr<LinkRegistry> registry;
  std::string worker_address;
};

class UcxTransport final : public Transport {
 public:
  UcxTransport(const UcxOptions& options, const Clock& clock, UcxParts parts)
      : options_(options),
        clock_(clock),
        parts_(std::move(parts)),
        receiver_({.worker = *parts_.worker,
                   .links = links_,
                   .registry = *parts_.registry,
                   .counters = counters_,
                   .pool = *pool_,
                   .clock = clock_,
                   .max_frame_bytes = options_.max_frame_bytes}) {}
  ~UcxTransport() override;

  absl::Status Listen() { return receiver_.Listen(); }

  absl::StatusOr<PeerId> Connect(const std::string& address) override;
  absl::StatusOr<Frame> Allocate(size_t num_bytes) override;
  absl::Status Send(PeerId to, Frame frame) override {
    return SendCounted(to, LinkKind::kFrame, 0, std::move(frame));
  }
  int Poll(FrameHandler& handler) override;
  void Wait(absl::Duration timeout) override;
  void Wake() override { parts_.waiter->Wake(); }
  absl::Status Ping(PeerId peer, uint64_t cookie, size_t num_bytes) override;
  size_t MaxFrameBytes() const override { return options_.max_frame_bytes; }
  TransportStats Stats() const override { return counters_.Read(); }

 private:
  absl::StatusOr<PeerId> Dial(const LinkOffer& offer,
                              const std::string& worker_address);
  absl::Status SendFirst(UcxLink& link, LinkKind kind, const Nonce& nonce);
  absl::Status SendCounted(PeerId to, LinkKind kind, uint64_t cookie,
                           Frame frame);
  void AnswerHellos();
  void CheckHellosDue();
  int HandOver(FrameHandler& handler);
  void ReportLost(FrameHandler& handler);
  void CountLinks();

  const UcxOptions options_;
  const Clock& clock_;
  UcxParts parts_;
  const std::shared_ptr<FramePool> pool_ = FramePool::Create();
  TransportCounters counters_;
  UcxLinkTable links_;
  UcxReceiver receiver_;
  std::vector<PeerId> dialing_;  // without an ack so far
  bool lane_is_known_ = false;
};

UcxTransport::~UcxTransport() {
  parts_.registry->Close();
  links_.CloseAll();
  const absl::Time end = absl::Now() + kClosingTime;
  while (links_.Reap() && absl::Now() < end) parts_.worker->Progress();
  // Before the links: UCX may still point to them.
  parts_.worker = nullptr;
}

absl::StatusOr<PeerId> UcxTransport::Connect(const std::string& address) {
  ASSIGN_OR_RETURN(const LinkOffer offer, UnpackOffer(address));
  ASSIGN_OR_RETURN(const std::string worker_address,
                   UnwrapWorkerAddress(offer.address));
  if (worker_address == parts_.worker_address) {
    return absl::InvalidArgumentError("ucx: own address");
  }
  if (const UcxLink* open = links_.FindDialed(worker_address)) {
    return open->Id();
  }
  if (links_.NumOpen() >= options_.max_links) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("ucx: all %d links are open", options_.max_links));
  }
  return Dial(offer, worker_address);
}

absl::StatusOr<PeerId> UcxTransport::Dial(const LinkOffer& offer,
                                          const std::string& worker_address) {
  Nonce nonce;
  RETURN_IF_ERROR(FillRandom(nonce));
  Secret token;
  std::memcpy(token.data(), offer.token.data(), token.size());
  LinkSession session = LinkSession::Dial(offer.link_id, token, nonce);
  if (links_.Has(session)) {
    return absl::UnavailableError("ucx: the link's id is in use; ask again");
  }
  UcxLink& link = links_.Add(std::move(session), worker_address);
  absl::Status status = link.Open(parts_.worker->Handle());
  if (status.ok()) status = SendFirst(link, LinkKind::kHello, nonce);
  if (!status.ok()) {
    links_.Close(link.Id());
    return status;
  }
  link.SetHelloDue(clock_.Now() + options_.hello_timeout);
  dialing_.push_back(link.Id());
  CountLinks();
  return link.Id();
}

absl::Status UcxTransport::SendFirst(UcxLink& link, LinkKind kind,
                                     const Nonce& nonce) {
  ASSIGN_OR_RETURN(Frame frame, pool_->Take(nonce.size()));
  std::memcpy(frame->Bytes().data(), nonce.data(), nonce.size());
  return link.Send(kind, 0, std::move(frame));
}

absl::StatusOr<Frame> UcxTransport::Allocate(size_t num_bytes) {
  if (num_bytes == 0 || num_bytes > MaxFrameBytes()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("ucx: a frame of %d bytes", num_bytes));
  }
  return pool_->Take(num_bytes);
}

absl::Status UcxTransport::SendCounted(PeerId to, LinkKind kind,
                                       uint64_t cookie, Frame frame) {
  ASSIGN_OR_RETURN(UcxLink* const link, links_.Find(to));
  const size_t num_bytes = frame->Bytes().size();
  RETURN_IF_ERROR(link->Send(kind, cookie, std::move(frame)));
  counters_.bytes_sent += num_bytes;
  if (kind == LinkKind::kFrame) ++counters_.frames_sent;
  return absl::OkStatus();
}

absl::Status UcxTransport::Ping(PeerId peer, uint64_t cookie,
                                size_t num_bytes) {
  ASSIGN_OR_RETURN(Frame frame, Allocate(num_bytes));
  std::fill(frame->Bytes().begin(), frame->Bytes().end(), std::byte{0});
  return SendCounted(peer, LinkKind::kPing, cookie, std::move(frame));
}

int UcxTransport::Poll(FrameHandler& handler) {
  for (int i = 0; i < kMaxProgress && parts_.worker->Progress(); ++i) {
  }
  AnswerHellos();
  CheckHellosDue();
  const int num_frames = HandOver(handler);
  ReportLost(handler);
  links_.Reap();
  return num_frames;
}

void UcxTransport::AnswerHellos() {
  for (const auto& [peer, nonce] : receiver_.TakeToAnswer()) {
    const auto link = links_.Find(peer);
    if (!link.ok() || !(*link)->Failure().ok()) continue;
    absl::Status status = (*link)->Open(parts_.worker->Handle());
    if (status.ok()) status = SendFirst(**link, LinkKind::kHelloAck, nonce);
    if (!status.ok()) (*link)->Fail(status);
  }
  if (lane_is_known_ || links_.Any() == nullptr) return;
  const std::string lane = links_.Any()->Lane();
  counters_.SetLane(lane);
  lane_is_known_ = !lane.empty();
}

void UcxTransport::CheckHellosDue() {
  if (dialing_.empty()) return;
  const absl::Time now = clock_.Now();
  std::erase_if(dialing_, [&](PeerId peer) {
    const auto link = links_.Find(peer);
    if (!link.ok() || (*link)->HelloDue() == absl::InfiniteFuture()) {
      return true;
    }
    if (now < (*link)->HelloDue()) return false;
    (*link)->Fail(absl::UnavailableError("ucx: the node did not answer"));
    return true;
  });
}

int UcxTransport::HandOver(FrameHandler& handler) {
  int num_frames = 0;
  for (auto& [from, header, payload] : receiver_.TakeArrived()) {
    if (!links_.Find(from).ok()) continue;
    counters_.bytes_received += header.length;
    switch (header.kind) {
      case LinkKind::kFrame:
        ++counters_.frames_received;
        ++num_frames;
        handler.OnFrame(from, std::move(payload));
        break;
      case LinkKind::kPing:
        // One that cannot be echoed now is lost, as a message may be.
        SendCounted(from, LinkKind::kPong, header.cookie, std::move(payload))
            .IgnoreError();
        break;
      case LinkKind::kPong:
        handler.OnPong(from, header.cookie);
        break;
      case LinkKind::kHello:
      case LinkKind::kHelloAck:
        break;
    }
  }
  return num_frames;
}

void UcxTransport::ReportLost(FrameHandler& handler) {
  if (!links_.HasFailed()) return;
  for (const PeerId peer : links_.TakeFailed()) {
    const auto link = links_.Find(peer);
    if (!link.ok()) continue;
    const absl::Status reason = (*link)->Failure();
    links_.Close(peer);
    CountLinks();
    handler.OnPeerLost(peer, reason);
  }
}

void UcxTransport::CountLinks() {
  counters_.num_links = links_.NumOpen();
  parts_.registry->SetNumOpen(links_.NumOpen());
}

void UcxTransport::Wait(absl::Duration timeout) {
  if (receiver_.HasNews() || links_.HasFailed()) return;
  for (const PeerId peer : dialing_) {
    const auto link = links_.Find(peer);
    if (!link.ok()) continue;
    timeout = std::min(timeout, (*link)->HelloDue() - clock_.Now());
  }
  if (timeout <= absl::ZeroDuration()) return;
  parts_.waiter->Wait(*parts_.worker, timeout);
}

absl::Status CheckOptions(const UcxOptions& options) {
  if (options.max_frame_bytes >= kHeaderBytes &&
      options.max_frame_bytes <= UcxLink::kMaxBytesInFlight / 2 &&
      options.max_links > 0 && options.max_links <= 65536 &&
      options.hello_timeout > absl::ZeroDuration() &&
      options.token_lifetime > absl::ZeroDuration()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "ucx: frames of %d bytes, %d links: frames may have %d to %d bytes, and "
      "there may be 1 to 65536 links",
      options.max_frame_bytes, options.max_links, kHeaderBytes,
      UcxLink::kMaxBytesInFlight / 2));
}

}  // namespace

absl::StatusOr<UcxEnd> OpenUcx(const UcxOptions& options, const Clock& clock) {
  RETURN_IF_ERROR(CheckOptions(options));
  UcxParts parts;
  ASSIGN_OR_RETURN(parts.worker, UcxWorker::Create(options));
  ASSIGN_OR_RETURN(parts.waiter, UcxWaiter::Create(options.spin));
  ASSIGN_OR_RETURN(parts.worker_address, parts.worker->Address());
  UcxEnd end{.transport = nullptr,
             .acceptor = nullptr,
             .local_address = WrapWorkerAddress(parts.worker_address)};
  parts.registry = std::make_shared<LinkRegistry>(
      LinkRegistry::Options{.local_address = end.local_address,
                            .token_lifetime = options.token_lifetime,
                            .max_links = options.max_links},
      clock);
  end.acceptor = parts.registry;
  auto transport =
      std::make_unique<UcxTransport>(options, clock, std::move(parts));
  RETURN_IF_ERROR(transport->Listen());
  end.transport = std::move(transport);
  return end;
}

}  // namespace mesh::router
