// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/api_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace mesh::gateway {
namespace {

constexpr absl::string_view kPrefix = "sk-mesh-";
constexpr size_t kIdBytes = 12;
constexpr size_t kSecretBytes = 43;
constexpr size_t kMinPepperBytes = 16;
constexpr size_t kMaxPepperBytes = 4096;
constexpr absl::string_view kIdAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

bool IsAlphaNumeric(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c));
}

bool IsSecretCharacter(char c) {
  return IsAlphaNumeric(c) || c == '-' || c == '_';
}

absl::Status Draw(std::span<uint8_t> bytes) {
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1) {
    return absl::OkStatus();
  }
  return absl::UnavailableError("the system gives no random numbers");
}

absl::StatusOr<std::string> DrawSecret() {
  std::array<uint8_t, 32> bytes;
  RETURN_IF_ERROR(Draw(bytes));
  return absl::WebSafeBase64Escape(absl::string_view(
      reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

// Each character is as likely as any other.
absl::StatusOr<std::string> DrawId() {
  constexpr size_t kFair = 256 / kIdAlphabet.size() * kIdAlphabet.size();
  std::string id;
  while (id.size() < kIdBytes) {
    std::array<uint8_t, 1> byte;
    RETURN_IF_ERROR(Draw(byte));
    if (byte[0] < kFair) id += kIdAlphabet[byte[0] % kIdAlphabet.size()];
  }
  return id;
}

}  // namespace

std::string ApiKey::Text() const {
  return absl::StrCat(kPrefix, id, "-", secret);
}

bool IsApiKeyId(absl::string_view text) {
  return text.size() == kIdBytes &&
         std::all_of(text.begin(), text.end(), IsAlphaNumeric);
}

std::optional<ApiKey> ParseApiKey(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, kPrefix) ||
      text.size() != kIdBytes + 1 + kSecretBytes || text[kIdBytes] != '-') {
    return std::nullopt;
  }
  const absl::string_view id = text.substr(0, kIdBytes);
  const absl::string_view secret = text.substr(kIdBytes + 1);
  if (!IsApiKeyId(id) ||
      !std::all_of(secret.begin(), secret.end(), IsSecretCharacter)) {
    return std::nullopt;
  }
  return ApiKey{std::string(id), std::string(secret)};
}

absl::StatusOr<ApiKey> DrawApiKey() {
  ApiKey key;
  ASSIGN_OR_RETURN(key.id, DrawId());
  ASSIGN_OR_RETURN(key.secret, DrawSecret());
  return key;
}

absl::StatusOr<std::string> DrawPepper() { return DrawSecret(); }

SecretHash HashSecret(absl::string_view pepper, absl::string_view secret) {
  SecretHash hash;
  unsigned int size = 0;
  MESH_CHECK(HMAC(EVP_sha256(), pepper.data(), static_cast<int>(pepper.size()),
                  reinterpret_cast<const uint8_t*>(secret.data()),
                  secret.size(), hash.data(), &size) != nullptr);
  MESH_CHECK(size == hash.size());
  return hash;
}

bool SameHash(const SecretHash& left, const SecretHash& right) {
  return CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

std::string ToHex(const SecretHash& hash) {
  return absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(hash.data()), hash.size()));
}

std::optional<SecretHash> SecretHashFromHex(absl::string_view hex) {
  SecretHash hash;
  const bool is_hex = std::all_of(hex.begin(), hex.end(), [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c));
  });
  if (hex.size() != 2 * hash.size() || !is_hex) return std::nullopt;
  const std::string bytes = absl::HexStringToBytes(hex);
  std::copy(bytes.begin(), bytes.end(), hash.begin());
  return hash;
}

absl::StatusOr<std::string> ReadPepper(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxPepperBytes));
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return absl::ErrnoToStatus(errno, path);
  if ((info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": everybody may read this secret; run chmod o-rwx on it"));
  }
  std::string pepper(absl::StripAsciiWhitespace(text));
  if (pepper.size() < kMinPepperBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": a pepper of ", pepper.size(), " bytes, expected at least ",
        kMinPepperBytes, "; expertmesh keygen makes one"));
  }
  return pepper;
}

}  // namespace mesh::gateway
