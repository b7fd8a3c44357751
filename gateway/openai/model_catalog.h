// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/admission/tenant.h"
#include "gateway/openai/usage.h"

namespace mesh::gateway {

// Another name for the model, and what it means for thinking where a request
// says nothing of it.
struct ModelAlias {
  std::string alias;
  std::string model;
  std::optional<bool> thinking;
};

// "ALIAS=MODEL", "ALIAS=MODEL:thinking" or "ALIAS=MODEL:no-thinking". Errors:
// kInvalidArgument.
absl::StatusOr<ModelAlias> ParseModelAlias(absl::string_view text);

struct ModelPrices {
  std::string model;  // or an alias
  Prices prices;
};

// "MODEL=PROMPT,CACHED,COMPLETION", each for a million tokens. Errors:
// kInvalidArgument.
absl::StatusOr<ModelPrices> ParseModelPrices(absl::string_view text);

// The names under which a model is served, and what it costs under each. An
// alias without prices of its own costs what its model costs. Immutable.
class ModelCatalog {
 public:
  struct Entry {
    std::string name;   // as clients say it
    std::string model;  // as the gateway serves it
    std::optional<bool> thinking;
    std::optional<Prices> prices;
  };

  // `served` is the model that there is. Errors: kInvalidArgument for an alias
  // of another model, one that stands twice or is the model's own name, and
  // for prices of what is not there.
  static absl::StatusOr<ModelCatalog> Create(
      const std::string& served, const std::vector<ModelAlias>& aliases,
      const std::vector<ModelPrices>& prices);

  // Errors: ModelNotFound, also where `tenant` may not use it.
  absl::StatusOr<Entry> Find(absl::string_view name,
                             const Tenant& tenant) const;
  // Those that `tenant` may use, by name.
  std::vector<Entry> List(const Tenant& tenant) const;

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace mesh::gateway
