// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_target.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace mesh::gateway {
namespace {

constexpr HttpError kBadTarget = {
    400, "bad_target",
    "the target must be an absolute path with single slashes, without control "
    "characters, '.' or '..'"};
constexpr HttpError kNoProxy = {
    404, "not_found", "the target must be a path: this is not a proxy"};

bool IsHex(char byte) {
  return absl::ascii_isxdigit(static_cast<unsigned char>(byte));
}

// Undoes %XX. Nothing if one is malformed or stands for a control character.
std::optional<std::string> Decode(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    char byte = text[i];
    if (byte == '%') {
      if (i + 2 >= text.size() || !IsHex(text[i + 1]) || !IsHex(text[i + 2])) {
        return std::nullopt;
      }
      byte = absl::HexStringToBytes(text.substr(i + 1, 2)).front();
      i += 2;
    }
    if (absl::ascii_iscntrl(static_cast<unsigned char>(byte))) {
      return std::nullopt;
    }
    decoded.push_back(byte);
  }
  return decoded;
}

bool IsTargetByte(char byte) {
  return absl::ascii_isgraph(static_cast<unsigned char>(byte)) && byte != '#';
}

bool IsPathByte(char byte) {
  return IsTargetByte(byte) && !absl::StrContains("\"<>\\^`{|}", byte);
}

bool IsPath(absl::string_view path) {
  if (!std::all_of(path.begin(), path.end(), IsPathByte)) return false;
  if (absl::StrContains(path, "//")) return false;
  const std::optional<std::string> decoded = Decode(path);
  if (!decoded) return false;
  for (const absl::string_view part : absl::StrSplit(*decoded, '/')) {
    if (part == "." || part == "..") return false;
  }
  return true;
}

}  // namespace

std::optional<HttpError> ParseTarget(absl::string_view target,
                                     std::string* path, std::string* query) {
  if (target == "*" || absl::StrContains(target, "://")) {
    const size_t slash = target.find('/');
    if (target == "*" || slash > 0) return kNoProxy;
  }
  if (!absl::StartsWith(target, "/")) return kBadTarget;
  const size_t mark = target.find('?');
  const absl::string_view before = target.substr(0, mark);
  const absl::string_view behind = mark == absl::string_view::npos
                                       ? absl::string_view()
                                       : target.substr(mark + 1);
  if (!IsPath(before) ||
      !std::all_of(behind.begin(), behind.end(), IsTargetByte) ||
      !Decode(behind)) {
    return kBadTarget;
  }
  *path = std::string(before);
  *query = std::string(behind);
  return std::nullopt;
}

}  // namespace mesh::gateway
