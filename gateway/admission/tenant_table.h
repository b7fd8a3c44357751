// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "gateway/admission/api_key.h"
#include "gateway/admission/tenant.h"

namespace mesh::gateway {

inline constexpr size_t kMaxTenants = 10000;
inline constexpr size_t kMaxKeysPerTenant = 2;

// The tenants by their keys' ids. Immutable once it is filled.
class TenantTable {
 public:
  struct Entry {
    SecretHash hash;
    std::shared_ptr<const Tenant> tenant;
  };

  // False if there is a key of that id.
  bool Add(const std::string& key_id, const Entry& entry) {
    return entries_.try_emplace(key_id, entry).second;
  }
  // Null if there is none.
  const Entry* Find(absl::string_view key_id) const {
    const auto found = entries_.find(key_id);
    return found == entries_.end() ? nullptr : &found->second;
  }
  size_t NumKeys() const { return entries_.size(); }

 private:
  absl::flat_hash_map<std::string, Entry> entries_;
};

}  // namespace mesh::gateway
