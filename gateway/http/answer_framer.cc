// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/answer_framer.h"

#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/http/http_error.h"

namespace mesh::gateway {
namespace {

constexpr absl::string_view kLineEnd = "\r\n";
constexpr absl::string_view kBreakers("\r\n\0", 3);
// How the answer is framed is for us to say.
constexpr std::array<absl::string_view, 5> kOwnHeaders = {
    "connection", "content-length", "date", "keep-alive", "transfer-encoding"};

bool MayBeSent(const std::pair<std::string, std::string>& header) {
  for (const absl::string_view text :
       {absl::string_view(header.first), absl::string_view(header.second)}) {
    if (text.find_first_of(kBreakers) != absl::string_view::npos) return false;
  }
  for (const absl::string_view name : kOwnHeaders) {
    if (absl::EqualsIgnoreCase(name, header.first)) return false;
  }
  return !header.first.empty();
}

bool HasBody(int status) {
  return status >= 200 && status != 204 && status != 304;
}

}  // namespace

std::string AnswerFramer::Head(int status, const HttpHeaders& headers,
                               absl::Time now) const {
  std::string head = absl::StrCat(
      "HTTP/1.1 ", status, " ", ReasonPhrase(status), "\r\nDate: ",
      absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", now, absl::UTCTimeZone()),
      kLineEnd);
  for (const auto& header : headers) {
    if (!MayBeSent(header)) continue;
    absl::StrAppend(&head, header.first, ": ", header.second, kLineEnd);
  }
  if (!keep_alive_) {
    absl::StrAppend(&head, "Connection: close\r\n");
  } else if (is_http_1_0_) {
    absl::StrAppend(&head, "Connection: keep-alive\r\n");
  }
  return head;
}

std::string AnswerFramer::Whole(const HttpResponse& response, absl::Time now) {
  std::string bytes = Head(response.status, response.headers, now);
  if (!HasBody(response.status)) return absl::StrCat(bytes, kLineEnd);
  absl::StrAppend(&bytes, "Content-Length: ", response.body.size(), "\r\n\r\n");
  if (!is_head_) bytes.append(response.body);
  return bytes;
}

std::string AnswerFramer::StreamHead(int status, const HttpHeaders& headers,
                                     absl::Time now) {
  if (is_http_1_0_) keep_alive_ = false;
  std::string head = Head(status, headers, now);
  if (!is_http_1_0_) absl::StrAppend(&head, "Transfer-Encoding: chunked\r\n");
  return absl::StrCat(head, kLineEnd);
}

std::string AnswerFramer::Piece(std::string bytes) const {
  if (is_head_) return {};
  // An empty chunk would be the end.
  if (is_http_1_0_ || bytes.empty()) return bytes;
  return absl::StrCat(absl::Hex(bytes.size()), kLineEnd, bytes, kLineEnd);
}

std::string AnswerFramer::StreamEnd() const {
  if (is_head_ || is_http_1_0_) return {};
  return "0\r\n\r\n";
}

}  // namespace mesh::gateway
