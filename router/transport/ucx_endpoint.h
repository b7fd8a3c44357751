// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ucp/api/ucp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mesh::router {

class UcxLink;

// A UCX endpoint: our end of the way to one worker. It outlives the link that
// made it where a next link to the same worker goes on with it: a worker that
// has heard of an endpoint, but not opened its own, would answer the first of
// two endpoints for ever, and its large answers would be lost silently. Owned
// by the transport's thread.
class UcxEndpoint {
 public:
  // Errors: kUnavailable.
  static absl::StatusOr<std::unique_ptr<UcxEndpoint>> Create(
      ucp_worker_h worker, const std::string& worker_address);
  UcxEndpoint(const UcxEndpoint&) = delete;
  UcxEndpoint& operator=(const UcxEndpoint&) = delete;

  ucp_ep_h Handle() const { return handle_; }
  // Who fails when the endpoint does; may be null.
  void SetOwner(UcxLink* owner) { owner_ = owner; }
  // Whether the worker at the other end is gone.
  bool Failed() const { return failed_; }

  // Gives up all that is under way. UCX still uses the object until Closed(),
  // or until its worker is destroyed.
  void Close();
  bool Closed();

 private:
  UcxEndpoint() = default;
  static void OnError(void* arg, ucp_ep_h endpoint, ucs_status_t status);

  ucp_ep_h handle_ = nullptr;
  ucs_status_ptr_t closing_ = nullptr;
  UcxLink* owner_ = nullptr;
  bool failed_ = false;
};

}  // namespace mesh::router
