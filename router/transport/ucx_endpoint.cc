// SPDX-License-Identifier: Apache-2.0
#include "router/transport/ucx_endpoint.h"

#include <utility>

#include "router/transport/ucx_link.h"
#include "router/transport/ucx_worker.h"

namespace mesh::router {

absl::StatusOr<std::unique_ptr<UcxEndpoint>> UcxEndpoint::Create(
    ucp_worker_h worker, const std::string& worker_address) {
  std::unique_ptr<UcxEndpoint> endpoint(new UcxEndpoint);
  ucp_ep_params_t params = {};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS |
                      UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                      UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.address =
      reinterpret_cast<const ucp_address_t*>(worker_address.data());
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler.cb = &UcxEndpoint::OnError;
  params.err_handler.arg = endpoint.get();
  const ucs_status_t status =
      ucp_ep_create(worker, &params, &endpoint->handle_);
  if (status != UCS_OK) return UcxError("cannot reach the node", status);
  return endpoint;
}

void UcxEndpoint::OnError(void* arg, ucp_ep_h, ucs_status_t status) {
  auto& endpoint = *static_cast<UcxEndpoint*>(arg);
  endpoint.failed_ = true;
  if (endpoint.owner_ == nullptr) return;
  endpoint.owner_->Fail(UcxError("the node is gone", status));
}

void UcxEndpoint::Close() {
  if (handle_ == nullptr) return;
  ucp_request_param_t params = {};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  params.flags = UCP_EP_CLOSE_FLAG_FORCE;
  closing_ = ucp_ep_close_nbx(std::exchange(handle_, nullptr), &params);
  if (UCS_PTR_IS_ERR(closing_)) closing_ = nullptr;
}

bool UcxEndpoint::Closed() {
  if (closing_ != nullptr &&
      ucp_request_check_status(closing_) != UCS_INPROGRESS) {
    ucp_request_free(std::exchange(closing_, nullptr));
  }
  return handle_ == nullptr && closing_ == nullptr;
}

}  // namespace mesh::router
