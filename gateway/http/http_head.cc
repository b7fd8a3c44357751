// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_head.h"

#include "gateway/http/http_fields.h"

namespace mesh::gateway {
namespace {

constexpr HttpError kLineTooLong = {414, "uri_too_long",
                                    "the request line is too long"};
constexpr HttpError kHeaderTooLong = {431, "headers_too_large",
                                      "a header is too long"};
constexpr HttpError kHeadersTooLong = {431, "headers_too_large",
                                       "the headers are too long together"};
constexpr HttpError kTooManyHeaders = {431, "too_many_headers",
                                       "there are too many headers"};
constexpr HttpError kBadLineEnd = {
    400, "bad_line_end", "every line of the head must end with CR LF"};
constexpr HttpError kBadByte = {400, "bad_character",
                                "the head has a control character"};
constexpr HttpError kFolded = {400, "bad_header",
                               "a header may not go on in the next line"};

}  // namespace

HttpHeadParser::HttpHeadParser(const HttpHeadLimits& limits)
    : limits_(limits) {}

size_t HttpHeadParser::Feed(absl::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && !done_ && !error_) Byte(bytes[taken++]);
  return taken;
}

void HttpHeadParser::Byte(char byte) {
  ++num_bytes_;
  if (in_headers_) ++num_header_bytes_;
  if (after_cr_) {
    after_cr_ = false;
    return byte == '\n' ? Line() : Fail(kBadLineEnd);
  }
  if (byte == '\r') {
    after_cr_ = true;
    return;
  }
  if (byte == '\n') return Fail(kBadLineEnd);
  if (!IsFieldByte(byte)) return Fail(kBadByte);
  if (Fits()) line_.push_back(byte);
}

// Whether one more byte may belong to the line.
bool HttpHeadParser::Fits() {
  if (!in_headers_) {
    if (line_.size() < limits_.max_request_line_bytes) return true;
    Fail(kLineTooLong);
    return false;
  }
  if (line_.size() >= limits_.max_header_bytes) {
    Fail(kHeaderTooLong);
    return false;
  }
  if (num_header_bytes_ > limits_.max_headers_bytes) {
    Fail(kHeadersTooLong);
    return false;
  }
  return true;
}

void HttpHeadParser::Line() {
  if (!in_headers_) return RequestLine();
  if (line_.empty()) {
    error_ = InterpretFields(&head_);
    done_ = !error_;
    return;
  }
  if (line_.front() == ' ' || line_.front() == '\t') return Fail(kFolded);
  if (head_.headers.size() >= limits_.max_headers) {
    return Fail(kTooManyHeaders);
  }
  std::pair<std::string, std::string> field;
  error_ = ParseField(line_, &field);
  if (!error_) head_.headers.push_back(std::move(field));
  line_.clear();
}

void HttpHeadParser::RequestLine() {
  // Some clients send one more line end than a body has (RFC 9112, 2.2).
  if (line_.empty() && !skipped_empty_line_) {
    skipped_empty_line_ = true;
    return;
  }
  error_ = ParseRequestLine(line_, &head_);
  in_headers_ = true;
  line_.clear();
}

}  // namespace mesh::gateway
