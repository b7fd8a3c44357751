// SPDX-License-Identifier: Apache-2.0
#include "router/transport/ucx_link.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/status_macros.h"
#include "router/transport/ucx_lane.h"
#include "router/transport/ucx_worker.h"

namespace mesh::router {
namespace {

// What a message costs besides its bytes: so that a peer that never reads
// cannot make us keep millions of small ones.
constexpr size_t kMessageOverhead = 1024;
constexpr int kMaxBadMessages = 16;
constexpr absl::Duration kBadMessagesWithin = absl::Seconds(10);

}  // namespace

struct UcxLink::Sending {
  UcxLink* link;
  LinkHeaderBytes header;
  Frame frame;
  size_t cost;
  std::list<Sending>::iterator self = {};
};

struct UcxLink::Receiving {
  UcxLink* link;
  LinkHeaderBytes header;
  Frame frame;
  ReceiveDone done;
  void* arg;
  std::list<Receiving>::iterator self = {};
};

UcxLink::UcxLink(PeerId id, LinkSession session, std::string worker_address,
                 std::vector<PeerId>* failed)
    : id_(id),
      session_(std::move(session)),
      worker_address_(std::move(worker_address)),
      failed_(failed) {}

UcxLink::~UcxLink() = default;

absl::Status UcxLink::Open(ucp_worker_h worker) {
  if (endpoint_ != nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto endpoint, UcxEndpoint::Create(worker, worker_address_));
  Adopt(std::move(endpoint));
  return absl::OkStatus();
}

void UcxLink::Adopt(std::unique_ptr<UcxEndpoint> endpoint) {
  endpoint_ = std::move(endpoint);
  if (endpoint_ != nullptr) endpoint_->SetOwner(this);
}

std::unique_ptr<UcxEndpoint> UcxLink::GiveEndpoint() {
  if (endpoint_ != nullptr) endpoint_->SetOwner(nullptr);
  return std::move(endpoint_);
}

void UcxLink::Close() {
  if (endpoint_ != nullptr) endpoint_->Close();
}

bool UcxLink::Idle() {
  return (endpoint_ == nullptr || endpoint_->Closed()) && sending_.empty() &&
         receiving_.empty();
}

absl::Status UcxLink::Send(LinkKind kind, uint64_t cookie, Frame frame) {
  if (!failure_.ok()) return failure_;
  if (endpoint_ == nullptr) {
    return absl::UnavailableError("the link is not open yet");
  }
  const std::span<std::byte> payload = frame->Bytes();
  const size_t cost = payload.size() + kMessageOverhead;
  if (bytes_sending_ + cost > kMaxBytesInFlight) {
    return absl::ResourceExhaustedError(
        "the peer does not take what was sent before; try again later");
  }
  Sending& sending = sending_.emplace_front(Sending{
      this, session_.Seal(kind, cookie, payload), std::move(frame), cost});
  sending.self = sending_.begin();
  bytes_sending_ += cost;
  ucp_request_param_t params = {};
  params.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  params.cb.send = &UcxLink::OnSent;
  params.user_data = &sending;
  const ucs_status_ptr_t request = ucp_am_send_nbx(
      endpoint_->Handle(), kLinkAmId, sending.header.data(),
      sending.header.size(), payload.data(), payload.size(), &params);
  if (request == nullptr) {
    Finish(sending);
  } else if (UCS_PTR_IS_ERR(request)) {
    Finish(sending);
    Fail(UcxError("cannot send", UCS_PTR_STATUS(request)));
    return failure_;
  }
  return absl::OkStatus();
}

void UcxLink::OnSent(void* request, ucs_status_t status, void* arg) {
  const auto& sending = *static_cast<const Sending*>(arg);
  if (status != UCS_OK) sending.link->Fail(UcxError("cannot send", status));
  sending.link->Finish(sending);
  ucp_request_free(request);
}

void UcxLink::Finish(const Sending& sending) {
  bytes_sending_ -= sending.cost;
  sending_.erase(sending.self);
}

absl::Status UcxLink::Receive(ucp_worker_h worker, void* descriptor,
                              const LinkHeaderBytes& header, Frame frame,
                              ReceiveDone done, void* arg) {
  const std::span<std::byte> payload = frame->Bytes();
  if (bytes_receiving_ + payload.size() > kMaxBytesInFlight) {
    return absl::ResourceExhaustedError("too much under way from this peer");
  }
  Receiving& receiving = receiving_.emplace_front(
      Receiving{this, header, std::move(frame), done, arg});
  receiving.self = receiving_.begin();
  bytes_receiving_ += payload.size();
  ucp_request_param_t params = {};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK |
                        UCP_OP_ATTR_FIELD_USER_DATA |
                        UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  params.cb.recv_am = &UcxLink::OnReceived;
  params.user_data = &receiving;
  const ucs_status_ptr_t request = ucp_am_recv_data_nbx(
      worker, descriptor, payload.data(), payload.size(), &params);
  if (!UCS_PTR_IS_ERR(request)) return absl::OkStatus();
  bytes_receiving_ -= payload.size();
  receiving_.erase(receiving.self);
  return UcxError("cannot receive", UCS_PTR_STATUS(request));
}

void UcxLink::OnReceived(void* request, ucs_status_t status, size_t length,
                         void* arg) {
  auto& receiving = *static_cast<Receiving*>(arg);
  UcxLink& link = *receiving.link;
  const size_t expected = receiving.frame->Bytes().size();
  link.bytes_receiving_ -= expected;
  const bool whole = status == UCS_OK && length == expected;
  receiving.done(receiving.arg, link, receiving.header,
                 whole ? std::move(receiving.frame) : nullptr);
  link.receiving_.erase(receiving.self);
  ucp_request_free(request);
}

void UcxLink::Fail(const absl::Status& reason) {
  if (!failure_.ok()) return;
  failure_ = reason;
  failed_->push_back(id_);
}

bool UcxLink::CountBadMessage(absl::Time now) {
  if (now - bad_since_ > kBadMessagesWithin) {
    bad_since_ = now;
    num_bad_ = 0;
  }
  return ++num_bad_ >= kMaxBadMessages;
}

std::string UcxLink::Lane() const {
  if (endpoint_ == nullptr) return "";
  char* text = nullptr;
  size_t size = 0;
  std::FILE* const stream = open_memstream(&text, &size);
  if (stream == nullptr) return "";
  ucp_ep_print_info(endpoint_->Handle(), stream);
  std::fclose(stream);
  std::string lane = LaneOf({text, size});
  std::free(text);
  return lane;
}

}  // namespace mesh::router
