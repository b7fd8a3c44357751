// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/json_text.h"

#include <charconv>
#include <cmath>

#include "gateway/utf8.h"

namespace mesh::gateway {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";
constexpr absl::string_view kMinusInfinity = "-9999";

void Append(absl::string_view text, std::string* out) {
  out->append(text.data(), text.size());
}

void AppendEscape(char c, std::string* out) {
  constexpr absl::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      return Append("\\\"", out);
    case '\\':
      return Append("\\\\", out);
    case '\n':
      return Append("\\n", out);
    case '\r':
      return Append("\\r", out);
    case '\t':
      return Append("\\t", out);
    default:
      break;
  }
  const auto byte = static_cast<unsigned char>(c);
  Append("\\u00", out);
  out->push_back(kHex[byte >> 4]);
  out->push_back(kHex[byte & 15]);
}

template <typename Number>
void AppendNumber(Number number, std::string* out) {
  if (!std::isfinite(number)) return Append(kMinusInfinity, out);
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), number);
  out->append(buffer, end.ptr);
}

}  // namespace

void AppendJsonString(absl::string_view text, std::string* out) {
  out->push_back('"');
  size_t plain = 0;  // where what is not copied yet begins
  size_t at = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x80) {
      const Utf8Char next = ReadUtf8(text.substr(at));
      const auto num_bytes = static_cast<size_t>(next.num_bytes);
      if (next.kind != Utf8Char::Kind::kValid) {
        Append(text.substr(plain, at - plain), out);
        Append(kReplacement, out);
        plain = at + num_bytes;
      }
      at += num_bytes;
      continue;
    }
    if (byte < 0x20 || byte == '"' || byte == '\\') {
      Append(text.substr(plain, at - plain), out);
      AppendEscape(text[at], out);
      plain = at + 1;
    }
    ++at;
  }
  if (plain < text.size()) Append(text.substr(plain), out);
  out->push_back('"');
}

void AppendJsonNumber(float number, std::string* out) {
  AppendNumber(number, out);
}

void AppendJsonNumber(double number, std::string* out) {
  AppendNumber(number, out);
}

}  // namespace mesh::gateway
