// SPDX-License-Identifier: Apache-2.0
#include "router/transport/link_crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "core/check.h"

namespace mesh::router {
namespace {

const unsigned char* Raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* RawOut(std::span<std::byte> bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

}  // namespace

absl::Status FillRandom(std::span<std::byte> bytes) {
  if (RAND_bytes(RawOut(bytes), static_cast<int>(bytes.size())) == 1) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      "the system gives no random bytes; check its random number generator");
}

Sha256Digest Sha256(std::span<const std::byte> message) {
  // Looked up once: a search by name costs more than the digest.
  static const EVP_MD* const algorithm =
      EVP_MD_fetch(nullptr, "SHA256", nullptr);
  Sha256Digest digest;
  MESH_CHECK(EVP_Digest(message.data(), message.size(), RawOut(digest), nullptr,
                        algorithm, nullptr) == 1);
  return digest;
}

bool EqualInConstantTime(std::span<const std::byte> a,
                         std::span<const std::byte> b) {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

struct MacKey::State {
  ~State() { EVP_MAC_CTX_free(context); }
  EVP_MAC_CTX* context = nullptr;
};

MacKey::MacKey(const Secret& key) : state_(std::make_unique<State>()) {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  state_->context = EVP_MAC_CTX_new(algorithm);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  MESH_CHECK(EVP_MAC_init(state_->context, Raw(key), key.size(), parameters) ==
             1);
}

MacKey::MacKey(MacKey&& other) noexcept = default;
MacKey& MacKey::operator=(MacKey&& other) noexcept = default;
MacKey::~MacKey() = default;

Secret MacKey::Mac(std::span<const std::byte> message) {
  Secret mac;
  size_t size = 0;
  // Without a key: begins a new message under the old one.
  MESH_CHECK(EVP_MAC_init(state_->context, nullptr, 0, nullptr) == 1);
  MESH_CHECK(EVP_MAC_update(state_->context, Raw(message), message.size()) ==
             1);
  MESH_CHECK(EVP_MAC_final(state_->context, RawOut(mac), &size, mac.size()) ==
                 1 &&
             size == mac.size());
  return mac;
}

}  // namespace mesh::router
