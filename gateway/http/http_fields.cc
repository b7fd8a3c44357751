// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_fields.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "gateway/http/http_target.h"

namespace mesh::gateway {
namespace {

using MaybeError = std::optional<HttpError>;

constexpr HttpError kBadRequestLine = {
    400, "bad_request_line",
    "the request line must be 'METHOD /path HTTP/1.1', with single spaces"};
constexpr HttpError kBadVersion = {505, "bad_http_version",
                                   "only HTTP/1.1 and HTTP/1.0 are spoken"};
constexpr HttpError kUnknownMethod = {501, "not_implemented",
                                      "this method is not known"};
constexpr HttpError kForbiddenMethod = {405, "method_not_allowed",
                                        "this method is not served"};
constexpr HttpError kBadHeader = {
    400, "bad_header",
    "a header must be 'Name: value', without a space before the colon"};
constexpr HttpError kDuplicate = {
    400, "duplicate_header", "a header that may come once comes more often"};
constexpr HttpError kBadHost = {400, "bad_host",
                                "a request needs one Host header, host:port"};
constexpr HttpError kBadLength = {400, "bad_content_length",
                                  "Content-Length must be one decimal number"};
constexpr HttpError kTwoLengths = {
    400, "bad_framing",
    "Content-Length and Transfer-Encoding exclude each other"};
constexpr HttpError kBadCoding = {
    400, "bad_transfer_encoding",
    "Transfer-Encoding must be 'chunked', once, and HTTP/1.1"};
constexpr HttpError kUnknownCoding = {
    501, "not_implemented", "the only Transfer-Encoding known is 'chunked'"};
constexpr HttpError kLengthRequired = {
    411, "length_required", "a body over HTTP/1.0 needs a Content-Length"};
constexpr HttpError kBadExpectation = {
    417, "bad_expectation", "the only Expect known is '100-continue'"};
constexpr HttpError kBadEncoding = {
    415, "unsupported_encoding",
    "a body must not be compressed: send it without Content-Encoding"};

constexpr std::array<absl::string_view, 7> kMethods = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};

// Two of these could mean two things to two readers.
constexpr std::array<absl::string_view, 6> kSingleFields = {
    "authorization", "content-length", "content-type",
    "expect",        "host",           "content-encoding"};

bool IsTokenByte(char byte) {
  return absl::ascii_isalnum(static_cast<unsigned char>(byte)) ||
         absl::StrContains("!#$%&'*+-.^_`|~", byte);
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenByte);
}

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char byte) {
    return absl::ascii_isdigit(static_cast<unsigned char>(byte));
  });
}

MaybeError CheckVersion(absl::string_view version, HttpHead* head) {
  // "HTTP/" and two digits with a point between.
  const bool well_formed = version.size() == 8 &&
                           absl::StartsWith(version, "HTTP/") &&
                           IsDigits(version.substr(5, 1)) &&
                           version[6] == '.' && IsDigits(version.substr(7));
  if (!well_formed) return kBadRequestLine;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return kBadVersion;
  head->is_http_1_0 = version == "HTTP/1.0";
  return std::nullopt;
}

MaybeError CheckMethod(absl::string_view method) {
  if (!IsToken(method)) return kBadRequestLine;
  if (method == "TRACE" || method == "CONNECT") return kForbiddenMethod;
  if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) {
    return kUnknownMethod;
  }
  return std::nullopt;
}

size_t Count(const HttpHeaders& headers, absl::string_view name) {
  return static_cast<size_t>(
      std::count_if(headers.begin(), headers.end(), [&](const auto& field) {
        return absl::EqualsIgnoreCase(field.first, name);
      }));
}

bool IsHostByte(char byte) {
  return absl::ascii_isalnum(static_cast<unsigned char>(byte)) ||
         absl::StrContains("-._~%!$&'()*+,;=", byte);
}

bool IsAddressByte(char byte) {
  return absl::ascii_isxdigit(static_cast<unsigned char>(byte)) ||
         byte == ':' || byte == '.';
}

bool IsHost(absl::string_view value) {
  absl::string_view host = value;
  absl::string_view port;
  const size_t colon = value.rfind(':');
  const size_t bracket = value.rfind(']');
  if (colon != absl::string_view::npos &&
      (bracket == absl::string_view::npos || bracket < colon)) {
    host = value.substr(0, colon);
    port = value.substr(colon + 1);
    if (port.size() > 5 || !IsDigits(port)) return false;
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    return std::all_of(host.begin(), host.end(), IsAddressByte);
  }
  return !host.empty() && std::all_of(host.begin(), host.end(), IsHostByte);
}

MaybeError CheckHost(const HttpHead& head) {
  const size_t count = Count(head.headers, "host");
  if (count == 0 && head.is_http_1_0) return std::nullopt;
  if (count != 1 || !IsHost(FindHeader(head.headers, "host"))) return kBadHost;
  return std::nullopt;
}

MaybeError CheckLength(absl::string_view value, HttpHead* head) {
  // 18 digits fit; nobody means more.
  if (!IsDigits(value) || value.size() > 18 ||
      !absl::SimpleAtoi(value, &head->content_length)) {
    return kBadLength;
  }
  head->framing = HttpHead::Framing::kLength;
  return std::nullopt;
}

MaybeError CheckCoding(absl::string_view value, HttpHead* head) {
  const std::vector<absl::string_view> codings = absl::StrSplit(value, ',');
  size_t num_chunked = 0;
  bool is_last = false;
  for (const absl::string_view coding : codings) {
    is_last =
        absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(coding), "chunked");
    num_chunked += is_last ? 1 : 0;
  }
  if (num_chunked > 1 || (num_chunked == 1 && !is_last)) return kBadCoding;
  if (codings.size() > 1 || num_chunked == 0) return kUnknownCoding;
  if (head->is_http_1_0) return kBadCoding;
  head->framing = HttpHead::Framing::kChunked;
  return std::nullopt;
}

MaybeError CheckFraming(HttpHead* head) {
  const size_t num_codings = Count(head->headers, "transfer-encoding");
  const size_t num_lengths = Count(head->headers, "content-length");
  if (num_codings > 0 && num_lengths > 0) return kTwoLengths;
  if (num_codings > 1) return kBadCoding;
  if (num_codings == 1) {
    return CheckCoding(FindHeader(head->headers, "transfer-encoding"), head);
  }
  if (num_lengths == 1) {
    return CheckLength(FindHeader(head->headers, "content-length"), head);
  }
  const bool has_body = head->method == "POST" || head->method == "PUT" ||
                        head->method == "PATCH";
  if (has_body && head->is_http_1_0) return kLengthRequired;
  return std::nullopt;
}

MaybeError CheckBody(HttpHead* head) {
  if (head->framing == HttpHead::Framing::kNone) return std::nullopt;
  const absl::string_view encoding =
      FindHeader(head->headers, "content-encoding");
  if (!encoding.empty() && !absl::EqualsIgnoreCase(encoding, "identity")) {
    return kBadEncoding;
  }
  return std::nullopt;
}

MaybeError CheckExpectation(HttpHead* head) {
  const absl::string_view value = FindHeader(head->headers, "expect");
  if (value.empty() || head->is_http_1_0) return std::nullopt;
  if (!absl::EqualsIgnoreCase(value, "100-continue")) return kBadExpectation;
  head->expects_continue = true;
  return std::nullopt;
}

void CheckConnection(HttpHead* head) {
  head->keep_alive = !head->is_http_1_0;
  for (const auto& [name, value] : head->headers) {
    if (!absl::EqualsIgnoreCase(name, "connection")) continue;
    for (absl::string_view option : absl::StrSplit(value, ',')) {
      option = absl::StripAsciiWhitespace(option);
      if (absl::EqualsIgnoreCase(option, "close")) {
        head->keep_alive = false;
        return;
      }
      if (absl::EqualsIgnoreCase(option, "keep-alive")) head->keep_alive = true;
    }
  }
}

}  // namespace

std::optional<HttpError> ParseRequestLine(absl::string_view line,
                                          HttpHead* head) {
  const std::vector<absl::string_view> parts = absl::StrSplit(line, ' ');
  // HTTP/0.9 has no version.
  if (parts.size() == 2 && IsToken(parts[0]) &&
      absl::StartsWith(parts[1], "/")) {
    return kBadVersion;
  }
  if (parts.size() != 3) return kBadRequestLine;
  if (auto error = CheckVersion(parts[2], head)) return error;
  if (auto error = CheckMethod(parts[0])) return error;
  head->method = std::string(parts[0]);
  return ParseTarget(parts[1], &head->path, &head->query);
}

std::optional<HttpError> ParseField(
    absl::string_view line, std::pair<std::string, std::string>* field) {
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos || !IsToken(line.substr(0, colon))) {
    return kBadHeader;
  }
  field->first = std::string(line.substr(0, colon));
  // Only spaces and tabs are left of what counts as white.
  field->second =
      std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  return std::nullopt;
}

std::optional<HttpError> InterpretFields(HttpHead* head) {
  if (auto error = CheckHost(*head)) return error;
  if (auto error = CheckFraming(head)) return error;
  for (const absl::string_view name : kSingleFields) {
    if (Count(head->headers, name) > 1) return kDuplicate;
  }
  if (auto error = CheckBody(head)) return error;
  if (auto error = CheckExpectation(head)) return error;
  CheckConnection(head);
  return std::nullopt;
}

}  // namespace mesh::gateway
