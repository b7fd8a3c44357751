// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "gateway/http/http_error.h"
#include "gateway/http/http_message.h"

namespace mesh::gateway {

struct HttpHeadLimits {
  size_t max_request_line_bytes = 8 << 10;
  size_t max_header_bytes = 8 << 10;  // one line
  size_t max_headers_bytes = 16 << 10;
  size_t max_headers = 64;
};

// A request's head that is within the rules: what it says about framing has one
// meaning only.
struct HttpHead {
  enum class Framing { kNone, kLength, kChunked };

  std::string method;
  std::string path;
  std::string query;
  HttpHeaders headers;
  bool is_http_1_0 = false;

  Framing framing = Framing::kNone;
  uint64_t content_length = 0;  // of kLength
  bool keep_alive = false;      // the connection may serve another request
  bool expects_continue = false;
};

// Reads the head of one request as its bytes arrive; strict as RFC 9112 allows,
// and then some. What comes out is the same however the bytes are cut. Pure.
class HttpHeadParser {
 public:
  explicit HttpHeadParser(const HttpHeadLimits& limits = {});

  // Takes bytes up to the end of the head, or up to the one that is wrong;
  // returns how many. Not to be called when it is Done() or has an Error().
  size_t Feed(absl::string_view bytes);

  bool HasStarted() const { return num_bytes_ > 0; }
  bool Done() const { return done_; }
  const std::optional<HttpError>& Error() const { return error_; }

  // REQUIRES: Done().
  HttpHead Take() { return std::move(head_); }

 private:
  bool Fits();
  void Byte(char byte);
  void Line();
  void RequestLine();
  void Fail(const HttpError& error) { error_ = error; }

  const HttpHeadLimits limits_;
  HttpHead head_;
  std::string line_;  // without its CR LF
  bool after_cr_ = false;
  bool in_headers_ = false;
  bool skipped_empty_line_ = false;
  size_t num_bytes_ = 0;
  size_t num_header_bytes_ = 0;
  bool done_ = false;
  std::optional<HttpError> error_;
};

}  // namespace mesh::gateway
