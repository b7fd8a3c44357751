// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_port/client_address.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace mesh::gateway {
namespace {

constexpr absl::string_view kPrefix = "expertmesh-client/";

bool IsHexDigit(char c) {
  return absl::ascii_isxdigit(static_cast<unsigned char>(c));
}

// gRPC shows peers as URIs.
std::string DecodePercents(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() &&
                        IsHexDigit(text[i + 1]) && IsHexDigit(text[i + 2]);
    if (!escape) {
      decoded.push_back(text[i]);
      continue;
    }
    decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
    i += 2;
  }
  return decoded;
}

}  // namespace

std::string NameOfClient(absl::string_view address, absl::string_view unique) {
  return absl::StrCat(kPrefix, unique, "/", address);
}

std::string ClientAddress(absl::string_view peer) {
  const std::string decoded = DecodePercents(peer);
  absl::string_view address = decoded;
  if (absl::ConsumePrefix(&address, "unix-abstract:")) {
    if (!absl::ConsumePrefix(&address, kPrefix)) return std::string(peer);
    return std::string(address.substr(address.find('/') + 1));
  }
  if (!absl::ConsumePrefix(&address, "ipv4:") &&
      !absl::ConsumePrefix(&address, "ipv6:")) {
    return std::string(peer);
  }
  address = address.substr(0, address.rfind(':'));
  absl::ConsumePrefix(&address, "[");
  absl::ConsumeSuffix(&address, "]");
  return std::string(address);
}

}  // namespace mesh::gateway
