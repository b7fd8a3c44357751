// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ucp/api/ucp.h>

#include <deque>
#include <optional>
#include <string>

#include "tests/conformance/contract_bytes.h"

namespace contract {

// The dialer's end of a link (docs/wire_format.md, sections 1 to 4), on UCX
// itself. Whatever the node sends is checked; what is wrong ends the program.
class Link {
 public:
  Link();
  // The end address for OpenDataPlane.
  Bytes Address() const;

  // Sends the hello of an offer, which may be taken already.
  void Hello(const Bytes& address, uint64_t link_id, const Bytes& token);
  // Waits for the ack; false if none comes within two seconds.
  bool WaitForAck();

  void SendFrame(const Bytes& frame) { Send(3, 0, frame); }
  // The last message once more, byte by byte.
  void SendAgain() { Carry(last_header_, last_payload_); }
  // The next frame that arrives; nothing if none does within `seconds`.
  std::optional<Bytes> Receive(double seconds);
  // Whether a ping of that many bytes comes back, with its cookie and bytes.
  bool Ping(uint64_t cookie, size_t num_bytes);

 private:
  static ucs_status_t OnMessage(void* arg, const void* header,
                                size_t header_size, void* data, size_t size,
                                const ucp_am_recv_param_t* param);
  void Take(const Bytes& header, const Bytes& payload);
  void Send(uint8_t kind, uint64_t cookie, const Bytes& payload);
  void Carry(const Bytes& header, const Bytes& payload);
  Bytes Header(uint8_t kind, uint64_t cookie, const Bytes& payload,
               const Bytes& key);
  Bytes Key(const std::string& purpose, const Bytes& nonces) const;
  template <typename Done>
  bool ProgressUntil(double seconds, Done done);

  ucp_worker_h worker_ = nullptr;
  ucp_ep_h endpoint_ = nullptr;
  uint64_t link_id_ = 0;
  Bytes token_;
  Bytes nonce_;
  Bytes send_key_;
  Bytes receive_key_;  // empty before the ack
  uint64_t next_sequence_ = 0;
  uint64_t next_received_ = 0;
  Bytes last_header_;
  Bytes last_payload_;
  std::deque<Bytes> frames_;
  std::optional<std::pair<uint64_t, Bytes>> pong_;
};

}  // namespace contract
