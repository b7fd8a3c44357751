// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/http/http_head.h"
#include "gateway/http/http_message.h"

namespace mesh::gateway {

// The bytes of one answer, framed as its request allows: HTTP/1.1 in chunks,
// HTTP/1.0 up to the close, HEAD without a body.
class AnswerFramer {
 public:
  // For a request that could not be read: the connection ends behind it.
  AnswerFramer() = default;
  explicit AnswerFramer(const HttpHead& head)
      : is_http_1_0_(head.is_http_1_0),
        is_head_(head.method == "HEAD"),
        keep_alive_(head.keep_alive) {}

  // The connection ends behind this answer.
  void ForbidKeepAlive() { keep_alive_ = false; }
  // Whether it goes on. Final once the head has been made.
  bool KeepsConnection() const { return keep_alive_; }

  // Head and body. Headers that could break out of their line are left out, and
  // those that are ours to say.
  std::string Whole(const HttpResponse& response, absl::Time now);

  // The head of a stream, a piece of it, and its end. A piece that is empty, or
  // that may not be sent, is no bytes.
  std::string StreamHead(int status, const HttpHeaders& headers,
                         absl::Time now);
  std::string Piece(std::string bytes) const;
  std::string StreamEnd() const;

 private:
  std::string Head(int status, const HttpHeaders& headers,
                   absl::Time now) const;

  bool is_http_1_0_ = false;
  bool is_head_ = false;
  bool keep_alive_ = false;
};

}  // namespace mesh::gateway
