// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "gateway/http/http_error.h"
#include "gateway/http/http_head.h"

namespace mesh::gateway {

// The rules for the parts of a head. Each writes what it found into `head`, or
// returns what is wrong.

// "POST /v1/models?x=1 HTTP/1.1".
std::optional<HttpError> ParseRequestLine(absl::string_view line,
                                          HttpHead* head);

// One header, "Name: value".
std::optional<HttpError> ParseField(absl::string_view line,
                                    std::pair<std::string, std::string>* field);

// What the headers say together: host, framing, connection.
std::optional<HttpError> InterpretFields(HttpHead* head);

// True for the bytes that a line of a head or trailer may consist of.
constexpr bool IsFieldByte(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return value == '\t' || (value >= 0x20 && value != 0x7f);
}

}  // namespace mesh::gateway
