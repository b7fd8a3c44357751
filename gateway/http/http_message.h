// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace mesh::gateway {

// In the order in which they came or are sent; names in any case.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The first header of that name; empty if there is none.
inline absl::string_view FindHeader(const HttpHeaders& headers,
                                    absl::string_view name) {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  return {};
}

// A request that has come in whole and within the limits.
struct HttpRequest {
  std::string method;
  std::string path;   // of the target, without the query; not decoded
  std::string query;  // behind the '?'
  HttpHeaders headers;
  std::string body;
  std::string peer;  // address of the client, without the port
};

struct HttpResponse {
  int status = 200;
  HttpHeaders headers;
  std::string body;
};

}  // namespace mesh::gateway
