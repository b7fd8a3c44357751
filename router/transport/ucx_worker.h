// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ucp/api/ucp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "router/transport/ucx_options.h"

namespace mesh::router {

// kUnavailable with UCX's own words.
absl::Status UcxError(const char* what, ucs_status_t status);

// One UCX context and its one worker. Owned by one thread.
class UcxWorker {
 public:
  // Errors: kInvalidArgument for a setting that UCX refuses; kUnavailable if
  // it finds no such device or has no resources.
  static absl::StatusOr<std::unique_ptr<UcxWorker>> Create(
      const UcxOptions& options);
  ~UcxWorker();

  // Whole messages of that number go to `callback` with `arg`, those of every
  // other to `stray`, during Progress(). No number may be left out: for one
  // without a handler UCX 1.13 reads past its table, or what it never set
  // there, so that one message of a stranger could crash the process.
  absl::Status SetHandlers(unsigned am_id, ucp_am_recv_callback_t callback,
                           ucp_am_recv_callback_t stray, void* arg);

  ucp_worker_h Handle() const { return worker_; }
  // UCX's own address of the worker.
  absl::StatusOr<std::string> Address() const;
  // Readable when there may be something to do, once Arm() said true.
  int EventFd() const { return event_fd_; }

  // Whether anything was done.
  bool Progress() { return ucp_worker_progress(worker_) != 0; }
  // False if there is something to do at once.
  bool Arm() { return ucp_worker_arm(worker_) == UCS_OK; }

 private:
  UcxWorker() = default;

  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  int event_fd_ = -1;
};

}  // namespace mesh::router
