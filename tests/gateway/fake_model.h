// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/ids.h"

namespace mesh::gateway {

// The next token after a prompt and what was emitted since.
using FakeModel =
    std::function<TokenId(std::span<const TokenId> prompt,
                          std::span<const TokenId> emitted, uint64_t seed)>;

inline uint64_t MixToken(uint64_t hash, TokenId id) {
  uint64_t x = (hash ^ (static_cast<uint64_t>(id) + 0x9E3779B97F4A7C15)) *
               0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// A token that depends on every one before it, so that a wrong resume changes
// all that follow. Never a special token of tiny-r1.
inline TokenId HashToken(std::span<const TokenId> prompt,
                         std::span<const TokenId> emitted, uint64_t seed) {
  uint64_t hash = seed;
  for (const TokenId id : prompt) hash = MixToken(hash, id);
  for (const TokenId id : emitted) hash = MixToken(hash, id);
  return static_cast<TokenId>(300 + hash % 1500);
}

// What a stream must emit with that model.
inline std::vector<TokenId> ExpectedTokens(const std::vector<TokenId>& prompt,
                                           uint64_t seed, int max_tokens) {
  std::vector<TokenId> emitted;
  while (static_cast<int>(emitted.size()) < max_tokens) {
    emitted.push_back(HashToken(prompt, emitted, seed));
  }
  return emitted;
}

}  // namespace mesh::gateway
