// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ucp/api/ucp.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "router/transport/link_address.h"
#include "router/transport/ucx_worker.h"
#include "tests/router/transport/link_messages.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {

// Somebody with UCX who sends whatever bytes a test wants.
class RawUcxPeer {
 public:
  explicit RawUcxPeer(const UcxOptions& options = {})
      : worker_(*UcxWorker::Create(options)) {
    const auto ignore = [](void*, const void*, size_t, void*, size_t,
                           const ucp_am_recv_param_t*) { return UCS_OK; };
    EXPECT_OK(worker_->SetHandlers(kLinkAmId, ignore, ignore, nullptr));
  }
  ~RawUcxPeer() {
    if (endpoint_ == nullptr) return;
    ucp_request_param_t params = {};
    params.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
    params.flags = UCP_EP_CLOSE_FLAG_FORCE;
    Finish(ucp_ep_close_nbx(endpoint_, &params), [] {});
  }

  std::string Address() const { return WrapWorkerAddress(*worker_->Address()); }

  void Connect(const std::string& address) {
    const std::string worker_address = *UnwrapWorkerAddress(address);
    ucp_ep_params_t params = {};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS |
                        UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                        UCP_EP_PARAM_FIELD_ERR_HANDLER;
    params.address =
        reinterpret_cast<const ucp_address_t*>(worker_address.data());
    params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
    params.err_handler.cb = [](void*, ucp_ep_h, ucs_status_t) {};
    ASSERT_EQ(ucp_ep_create(worker_->Handle(), &params, &endpoint_), UCS_OK);
  }

  // Returns once UCX has it on its way; `meanwhile` lets the other end work.
  void Send(std::span<const std::byte> header,
            std::span<const std::byte> payload,
            const std::function<void()>& meanwhile,
            unsigned am_id = kLinkAmId) {
    ucp_request_param_t params = {};
    Finish(ucp_am_send_nbx(endpoint_, am_id, header.data(), header.size(),
                           payload.data(), payload.size(), &params),
           meanwhile);
  }
  void Send(const LinkMessage& message,
            const std::function<void()>& meanwhile) {
    Send(message.header, message.payload, meanwhile);
  }

  void Progress() { worker_->Progress(); }

 private:
  void Finish(ucs_status_ptr_t request,
              const std::function<void()>& meanwhile) {
    if (request == nullptr || UCS_PTR_IS_ERR(request)) return;
    while (ucp_request_check_status(request) == UCS_INPROGRESS) {
      worker_->Progress();
      meanwhile();
    }
    ucp_request_free(request);
  }

  const std::unique_ptr<UcxWorker> worker_;
  ucp_ep_h endpoint_ = nullptr;
};

}  // namespace mesh::router
