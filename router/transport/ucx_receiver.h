// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ucp/api/ucp.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "core/clock.h"
#include "router/transport/frame_pool.h"
#include "router/transport/link_registry.h"
#include "router/transport/transport_counters.h"
#include "router/transport/ucx_link_table.h"
#include "router/transport/ucx_worker.h"

namespace mesh::router {

// Takes every message that UCX delivers, inside its callbacks: admits or drops
// it, copies or receives the payload, and leaves it for the transport's next
// Poll(). Nothing is allocated for a message that is not genuine. Owned by the
// transport's thread.
class UcxReceiver {
 public:
  // All of it outlives the receiver.
  struct Parts {
    UcxWorker& worker;
    UcxLinkTable& links;
    LinkRegistry& registry;
    TransportCounters& counters;
    FramePool& pool;
    const Clock& clock;
    size_t max_frame_bytes;
  };
  // A frame, ping or pong.
  struct Arrival {
    PeerId from;
    LinkHeader header;
    Frame payload;
  };
  // A link whose hello was right and whose ack is to be sent.
  struct ToAnswer {
    PeerId peer;
    Nonce nonce;
  };

  explicit UcxReceiver(const Parts& parts) : parts_(parts) {}
  absl::Status Listen();

  bool HasNews() const { return !arrived_.empty() || !to_answer_.empty(); }
  std::vector<Arrival> TakeArrived() { return std::exchange(arrived_, {}); }
  std::vector<ToAnswer> TakeToAnswer() { return std::exchange(to_answer_, {}); }

 private:
  // Where UCX has the payload.
  struct Payload {
    void* data;
    size_t size;
    bool is_rendezvous;  // `data` is a descriptor
    std::span<const std::byte> Bytes() const {
      return {static_cast<const std::byte*>(data), size};
    }
  };
  static ucs_status_t OnMessage(void* arg, const void* header,
                                size_t header_size, void* data, size_t size,
                                const ucp_am_recv_param_t* param);
  static ucs_status_t OnStray(void* arg, const void* header, size_t header_size,
                              void* data, size_t size,
                              const ucp_am_recv_param_t* param);
  static void OnReceived(void* arg, UcxLink& link,
                         const LinkHeaderBytes& header, Frame frame);

  void Take(std::span<const std::byte> header_bytes, const Payload& payload);
  void TakeHello(const LinkHeader& header,
                 std::span<const std::byte> header_bytes,
                 const Payload& payload);
  void TakePayload(UcxLink& link, const LinkHeader& header,
                   std::span<const std::byte> header_bytes,
                   const Payload& payload);
  void Drop(UcxLink* link);

  const Parts parts_;
  std::vector<Arrival> arrived_;
  std::vector<ToAnswer> to_answer_;
};

}  // namespace mesh::router
