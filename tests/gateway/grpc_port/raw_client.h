// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/grpc_port/http2_frame.h"

namespace mesh::gateway {

// A client that sends what a test made by hand and keeps what comes back.
class RawClient {
 public:
  struct Reply {
    FrameHeader header;
    std::string payload;
  };

  // Connects to host:port with an IPv4 host. Dies if it cannot.
  explicit RawClient(const std::string& address);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  // Takes in answers meanwhile. False once the other side has closed.
  bool Send(absl::string_view bytes);
  void EndSending();

  // Until the other side has closed; false at the limit.
  bool AwaitClose(absl::Duration limit);
  // Until a frame of that type is there, of that stream if one is given.
  bool AwaitFrame(FrameType type, absl::Duration limit,
                  std::optional<uint32_t> stream = std::nullopt);

  const std::vector<Reply>& Replies() const { return replies_; }
  bool Closed() const { return closed_; }
  const Reply* Find(FrameType type, std::optional<uint32_t> stream) const;
  // The error of the last GOAWAY; none: none has come.
  std::optional<Http2Error> Goaway() const;
  // grpc-status in the headers of the stream; none: not there. Works for the
  // first one of a connection, which is not compressed.
  std::optional<int> GrpcStatus(uint32_t stream) const;

 private:
  // Waits until the socket can be read from or, if `write`, written to; takes
  // in what there is. False at the limit or once it is closed.
  bool Poll(bool write, absl::Time deadline, bool* writable);
  void Receive();

  int fd_ = -1;
  bool closed_ = false;
  std::string unread_;  // the start of a frame
  std::vector<Reply> replies_;
};

}  // namespace mesh::gateway
