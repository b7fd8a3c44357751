// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_error.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace mesh::gateway {
namespace {

struct Phrase {
  int status;
  absl::string_view text;
};

constexpr std::array kPhrases = {
    Phrase{100, "Continue"},
    Phrase{200, "OK"},
    Phrase{201, "Created"},
    Phrase{202, "Accepted"},
    Phrase{204, "No Content"},
    Phrase{304, "Not Modified"},
    Phrase{400, "Bad Request"},
    Phrase{401, "Unauthorized"},
    Phrase{402, "Payment Required"},
    Phrase{403, "Forbidden"},
    Phrase{404, "Not Found"},
    Phrase{405, "Method Not Allowed"},
    Phrase{408, "Request Timeout"},
    Phrase{409, "Conflict"},
    Phrase{411, "Length Required"},
    Phrase{413, "Content Too Large"},
    Phrase{414, "URI Too Long"},
    Phrase{415, "Unsupported Media Type"},
    Phrase{417, "Expectation Failed"},
    Phrase{422, "Unprocessable Content"},
    Phrase{429, "Too Many Requests"},
    Phrase{431, "Request Header Fields Too Large"},
    Phrase{499, "Client Closed Request"},
    Phrase{500, "Internal Server Error"},
    Phrase{501, "Not Implemented"},
    Phrase{502, "Bad Gateway"},
    Phrase{503, "Service Unavailable"},
    Phrase{504, "Gateway Timeout"},
    Phrase{505, "HTTP Version Not Supported"},
};

absl::string_view TypeOf(int status) {
  if (status == 408) return "timeout_error";
  if (status == 500 || status == 503) return "server_error";
  return "invalid_request_error";
}

}  // namespace

HttpResponse ErrorResponse(const HttpError& error) {
  HttpResponse response;
  response.status = error.status;
  response.headers = {{"Content-Type", "application/json"}};
  if (error.status == 405) {
    response.headers.emplace_back("Allow", "GET, HEAD, POST, DELETE, OPTIONS");
  }
  if (error.status == 503) response.headers.emplace_back("Retry-After", "1");
  response.body = absl::StrCat(
      R"({"error":{"message":")", error.message, R"(","type":")",
      TypeOf(error.status), R"(","param":null,"code":")", error.code, "\"}}");
  return response;
}

absl::string_view ReasonPhrase(int status) {
  for (const Phrase& phrase : kPhrases) {
    if (phrase.status == status) return phrase.text;
  }
  return status < 400 ? "OK" : "Error";
}

}  // namespace mesh::gateway
