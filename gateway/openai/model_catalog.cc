// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/model_catalog.h"

#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

std::pair<std::string, std::string> SplitAtEquals(absl::string_view text) {
  return absl::StrSplit(text, absl::MaxSplits('=', 1));
}

}  // namespace

absl::StatusOr<ModelAlias> ParseModelAlias(absl::string_view text) {
  const auto [alias, target] = SplitAtEquals(text);
  absl::string_view model = target;
  ModelAlias result;
  if (absl::ConsumeSuffix(&model, ":no-thinking")) {
    result.thinking = false;
  } else if (absl::ConsumeSuffix(&model, ":thinking")) {
    result.thinking = true;
  }
  if (alias.empty() || model.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model alias '", text,
        "', expected ALIAS=MODEL, perhaps with :thinking or :no-thinking"));
  }
  result.alias = alias;
  result.model = std::string(model);
  return result;
}

absl::StatusOr<ModelPrices> ParseModelPrices(absl::string_view text) {
  const auto [model, list] = SplitAtEquals(text);
  const std::vector<std::string> parts = absl::StrSplit(list, ',');
  ModelPrices result{.model = model, .prices = {}};
  double* const targets[] = {&result.prices.prompt,
                             &result.prices.cached_prompt,
                             &result.prices.completion};
  bool is_right = !model.empty() && parts.size() == std::size(targets);
  for (size_t i = 0; is_right && i < std::size(targets); ++i) {
    is_right = absl::SimpleAtod(parts[i], targets[i]) &&
               std::isfinite(*targets[i]) && *targets[i] >= 0;
  }
  if (is_right) return result;
  return absl::InvalidArgumentError(
      absl::StrCat("model prices '", text,
                   "', expected MODEL=PROMPT,CACHED,COMPLETION, each for a "
                   "million tokens"));
}

absl::StatusOr<ModelCatalog> ModelCatalog::Create(
    const std::string& served, const std::vector<ModelAlias>& aliases,
    const std::vector<ModelPrices>& prices) {
  ModelCatalog catalog;
  catalog.entries_[served] = {served, served, std::nullopt, std::nullopt};
  for (const ModelAlias& alias : aliases) {
    if (alias.model != served) {
      return absl::InvalidArgumentError(
          absl::StrCat("alias '", alias.alias, "' is for model '", alias.model,
                       "', but '", served, "' is served"));
    }
    Entry entry{alias.alias, served, alias.thinking, std::nullopt};
    if (!catalog.entries_.emplace(alias.alias, std::move(entry)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("the name '", alias.alias, "' is taken already"));
    }
  }
  for (const ModelPrices& price : prices) {
    const auto found = catalog.entries_.find(price.model);
    if (found == catalog.entries_.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "there are prices for '", price.model, "', which is not served"));
    }
    found->second.prices = price.prices;
  }
  const std::optional<Prices> own = catalog.entries_[served].prices;
  for (auto& [name, entry] : catalog.entries_) {
    if (!entry.prices.has_value()) entry.prices = own;
  }
  return catalog;
}

absl::StatusOr<ModelCatalog::Entry> ModelCatalog::Find(
    absl::string_view name, const Tenant& tenant) const {
  const auto found = entries_.find(std::string(name));
  if (found == entries_.end() || !MayUse(tenant, found->second.model)) {
    return ModelNotFound(name);
  }
  return found->second;
}

std::vector<ModelCatalog::Entry> ModelCatalog::List(
    const Tenant& tenant) const {
  std::vector<Entry> list;
  for (const auto& [name, entry] : entries_) {
    if (MayUse(tenant, entry.model)) list.push_back(entry);
  }
  return list;
}

}  // namespace mesh::gateway
