// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ucp/api/ucp.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/ids.h"
#include "router/transport/frame_buffer.h"
#include "router/transport/link_session.h"
#include "router/transport/ucx_endpoint.h"

namespace mesh::router {

// One link of a UCX transport: its session, the endpoint that it uses, and what
// is under way on it. Owned by the transport's thread. UCX keeps pointers to a
// link until Idle(), or until its worker is destroyed.
class UcxLink {
 public:
  static constexpr size_t kMaxBytesInFlight = size_t{64} << 20;

  // The link's id goes to `failed` when it fails.
  UcxLink(PeerId id, LinkSession session, std::string worker_address,
          std::vector<PeerId>* failed);
  ~UcxLink();
  UcxLink(const UcxLink&) = delete;
  UcxLink& operator=(const UcxLink&) = delete;

  PeerId Id() const { return id_; }
  LinkSession& Session() { return session_; }
  const std::string& WorkerAddress() const { return worker_address_; }

  // Makes an endpoint unless it has adopted one. Errors: kUnavailable.
  absl::Status Open(ucp_worker_h worker);
  // Goes on with the endpoint of an earlier link to the same worker, if any.
  void Adopt(std::unique_ptr<UcxEndpoint> endpoint);
  // The endpoint for another link to the same worker; null if there is none.
  // The link is of no more use.
  std::unique_ptr<UcxEndpoint> GiveEndpoint();
  // Gives the endpoint up, with all that is under way on it.
  void Close();
  // Whether UCX still uses the link.
  bool Idle();

  // Queues a message; the frame is released when UCX is done with it. Errors:
  // kUnavailable if the link is lost; kResourceExhausted while too much is in
  // flight.
  absl::Status Send(LinkKind kind, uint64_t cookie, Frame frame);

  // Receives the payload of a large message into `frame`, which `done` then
  // gets; or null if the payload was lost. Errors: kResourceExhausted,
  // kUnavailable.
  using ReceiveDone = void (*)(void* arg, UcxLink& link,
                               const LinkHeaderBytes& header, Frame frame);
  absl::Status Receive(ucp_worker_h worker, void* descriptor,
                       const LinkHeaderBytes& header, Frame frame,
                       ReceiveDone done, void* arg);

  // Not OK: the link is of no more use, and why. The first reason stays.
  const absl::Status& Failure() const { return failure_; }
  void Fail(const absl::Status& reason);

  // When the other end's proof is due; never once it has come.
  absl::Time HelloDue() const { return hello_due_; }
  void SetHelloDue(absl::Time due) { hello_due_ = due; }

  // Notes a message that should not have come; true if there were too many.
  bool CountBadMessage(absl::Time now);

  // What carries the bytes, for example "tcp/lo"; empty if it cannot be told.
  std::string Lane() const;

 private:
  struct Sending;
  struct Receiving;
  static void OnSent(void* request, ucs_status_t status, void* arg);
  static void OnReceived(void* request, ucs_status_t status, size_t length,
                         void* arg);
  void Finish(const Sending& sending);

  const PeerId id_;
  LinkSession session_;
  const std::string worker_address_;
  std::vector<PeerId>* const failed_;
  std::unique_ptr<UcxEndpoint> endpoint_;
  absl::Status failure_;
  std::list<Sending> sending_;
  std::list<Receiving> receiving_;
  size_t bytes_sending_ = 0;
  size_t bytes_receiving_ = 0;
  absl::Time hello_due_ = absl::InfiniteFuture();
  int num_bad_ = 0;
  absl::Time bad_since_ = absl::InfinitePast();
};

}  // namespace mesh::router
