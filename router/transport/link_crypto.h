// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "absl/status/status.h"

namespace mesh::router {

// What a link needs of cryptography, and nothing more.

using Secret = std::array<std::byte, 32>;  // a key, or the output of HMAC
using Sha256Digest = std::array<std::byte, 32>;

// Errors: kUnavailable if the system gives no random bytes.
absl::Status FillRandom(std::span<std::byte> bytes);

Sha256Digest Sha256(std::span<const std::byte> message);

// Takes the same time wherever the two differ.
bool EqualInConstantTime(std::span<const std::byte> a,
                         std::span<const std::byte> b);

// HMAC-SHA256 (RFC 2104) under one key. Owned by one thread.
class MacKey {
 public:
  explicit MacKey(const Secret& key);
  MacKey(MacKey&& other) noexcept;
  MacKey& operator=(MacKey&& other) noexcept;
  ~MacKey();

  Secret Mac(std::span<const std::byte> message);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mesh::router
