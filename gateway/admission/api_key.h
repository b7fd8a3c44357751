// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mesh::gateway {

// "sk-mesh-<12 letters and digits>-<43 of the URL-safe base 64>".
struct ApiKey {
  std::string id;      // public: found in files and logs
  std::string secret;  // 256 bits; never stored

  std::string Text() const;
};

// HMAC-SHA-256(pepper, secret): what is stored of a secret.
using SecretHash = std::array<uint8_t, 32>;

// Nothing unless `text` has exactly that form.
std::optional<ApiKey> ParseApiKey(absl::string_view text);
bool IsApiKeyId(absl::string_view text);

// From the system's random numbers. Errors: kUnavailable if there are none.
absl::StatusOr<ApiKey> DrawApiKey();
// 256 bits as text.
absl::StatusOr<std::string> DrawPepper();

SecretHash HashSecret(absl::string_view pepper, absl::string_view secret);
// Takes the same time wherever they differ.
bool SameHash(const SecretHash& left, const SecretHash& right);

std::string ToHex(const SecretHash& hash);
std::optional<SecretHash> SecretHashFromHex(absl::string_view hex);

// The pepper in a file, without white space at its ends. Errors: those of
// ReadFile; kInvalidArgument if it is shorter than 16 bytes or everybody may
// read it.
absl::StatusOr<std::string> ReadPepper(const std::string& path);

}  // namespace mesh::gateway
