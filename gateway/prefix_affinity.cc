// SPDX-License-Identifier: Apache-2.0
#include "gateway/prefix_affinity.h"

#include <utility>

#include "absl/hash/hash.h"
#include "absl/types/span.h"

namespace mesh::gateway {
namespace {

// As attention nodes' blocks are by default.
constexpr size_t kChunkTokens = 64;

}  // namespace

PrefixAffinity::Keys PrefixAffinity::KeysOf(absl::string_view salt,
                                            std::span<const TokenId> tokens) {
  Keys keys;
  keys.reserve(tokens.size() / kChunkTokens);
  uint64_t key = absl::HashOf(salt);
  while (tokens.size() >= kChunkTokens) {
    key = absl::HashOf(key, absl::MakeConstSpan(tokens.data(), kChunkTokens));
    keys.push_back(key);
    tokens = tokens.subspan(kChunkTokens);
  }
  return keys;
}

std::string PrefixAffinity::Find(const Keys& keys) const {
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    for (const Nodes* nodes : {&recent_, &old_}) {
      const auto found = nodes->find(*key);
      if (found != nodes->end()) return found->second;
    }
  }
  return {};
}

void PrefixAffinity::Remember(const Keys& keys, const std::string& node) {
  for (const uint64_t key : keys) {
    if (recent_.size() >= max_chunks_) {
      old_ = std::exchange(recent_, {});
    }
    recent_[key] = node;
  }
}

}  // namespace mesh::gateway
