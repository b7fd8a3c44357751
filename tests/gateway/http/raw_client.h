// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace mesh::gateway {

// One answer as it came over the wire, its chunks put together.
struct RawAnswer {
  int status = 0;  // 0: none
  std::string head;
  std::string body;

  // Whether the head has this line.
  bool Has(absl::string_view line) const;
};

// A client that sends any bytes and shows what comes back. Every wait ends.
class RawClient {
 public:
  // 127.0.0.1:port.
  explicit RawClient(const std::string& address);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { Close(); }

  bool IsConnected() const { return handle_ >= 0; }
  int Handle() const { return handle_; }

  // False if not all could be sent: the other side has closed.
  bool Send(absl::string_view bytes) const;
  // What the kernel takes without waiting; returns how much.
  size_t SendSome(absl::string_view bytes) const;

  // Reads the next answer; 100 is one too. `has_body` is false for HEAD.
  RawAnswer Answer(bool has_body = true);
  // Reads until `text` has come; false if it does not.
  bool WaitFor(absl::string_view text);
  // Everything up to the end of the connection.
  std::string Rest();
  // Whether the connection ends within the limit, whatever comes before that.
  bool IsClosed(absl::Duration limit = absl::Seconds(20));

  void EndSending() const;
  void Close();
  // Without a good-bye.
  void Reset();

 private:
  // False at the end, or if nothing comes.
  bool ReadMore(absl::Duration limit);
  std::string TakeLine();
  std::string TakeBytes(size_t size);

  int handle_ = -1;
  std::string received_;
};

}  // namespace mesh::gateway
