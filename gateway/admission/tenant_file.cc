// SPDX-License-Identifier: Apache-2.0
// Built with exceptions, which the YAML library throws.
#include "gateway/admission/tenant_file.h"

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace mesh::gateway {
namespace {

constexpr size_t kMaxFileBytes = size_t{8} << 20;
constexpr int64_t kMaxLimit = 1'000'000'000'000;

class TenantReader {
 public:
  explicit TenantReader(const std::string& path) : path_(path) {}

  absl::StatusOr<TenantTable> Read(const std::string& text) {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": expected one document with 'tenants:'"));
    }
    RETURN_IF_ERROR(ReadMap(
        documents[0],
        {{"tenants", [this](const auto& node) { return ReadTenants(node); }}}));
    return std::move(table_);
  }

 private:
  using Reader = std::function<absl::Status(const YAML::Node&)>;

  absl::Status Error(const YAML::Node& node, absl::string_view problem) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": line ", node.Mark().line + 1, ": ", problem));
  }

  // Each key at most once, and none but those.
  absl::Status ReadMap(const YAML::Node& map,
                       const std::map<std::string, Reader>& readers) const {
    if (!map.IsMap()) return Error(map, "expected lines of key: value");
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const std::string key =
          entry.first.IsScalar() ? entry.first.Scalar() : "";
      const auto reader = readers.find(key);
      if (reader == readers.end()) {
        return Error(entry.first, absl::StrCat(key, ": no such key"));
      }
      if (!seen.insert(key).second) {
        return Error(entry.first, absl::StrCat(key, ": stands here twice"));
      }
      RETURN_IF_ERROR(reader->second(entry.second));
    }
    return absl::OkStatus();
  }

  absl::Status ReadTenants(const YAML::Node& list) {
    if (!list.IsSequence()) return Error(list, "expected a list of tenants");
    if (list.size() > kMaxTenants) {
      return Error(list,
                   absl::StrCat(list.size(), " tenants, expected at most ",
                                kMaxTenants));
    }
    for (const YAML::Node& node : list) RETURN_IF_ERROR(ReadTenant(node));
    return absl::OkStatus();
  }

  absl::Status ReadTenant(const YAML::Node& node) {
    auto tenant = std::make_shared<Tenant>();
    YAML::Node keys(YAML::NodeType::Undefined);
    RETURN_IF_ERROR(ReadMap(
        node,
        {{"name", [&](const auto& n) { return ReadName(n, &tenant->name); }},
         {"keys",
          [&](const auto& n) {
            keys.reset(n);
            return absl::OkStatus();
          }},
         {"models",
          [&](const auto& n) { return ReadModels(n, &tenant->models); }},
         {"max_context", LimitReader(&tenant->max_context)},
         {"requests_per_minute", LimitReader(&tenant->requests_per_minute)},
         {"tokens_per_minute", LimitReader(&tenant->tokens_per_minute)},
         {"concurrency", LimitReader(&tenant->concurrency)},
         {"priority",
          [&](const auto& n) { return ReadClass(n, &tenant->priority_class); }},
         {"logprobs", [&](const auto& n) {
            return ReadSwitch(n, &tenant->allow_logprobs);
          }}}));
    if (tenant->name.empty()) return Error(node, "a tenant without a name");
    if (!names_.insert(tenant->name).second) {
      return Error(node, absl::StrCat(tenant->name, ": stands here twice"));
    }
    if (!keys.IsDefined()) return Error(node, "a tenant without keys");
    return ReadKeys(keys, tenant);
  }

  absl::Status ReadKeys(const YAML::Node& list,
                        const std::shared_ptr<const Tenant>& tenant) {
    if (!list.IsSequence() || list.size() > kMaxKeysPerTenant) {
      return Error(list, absl::StrCat("expected a list of at most ",
                                      kMaxKeysPerTenant, " keys"));
    }
    for (const YAML::Node& node : list) {
      std::string id;
      std::string hex;
      RETURN_IF_ERROR(ReadMap(
          node, {{"id", [&](const auto& n) { return ReadText(n, &id); }},
                 {"hash", [&](const auto& n) { return ReadText(n, &hex); }}}));
      const std::optional<SecretHash> hash = SecretHashFromHex(hex);
      if (!IsApiKeyId(id) || !hash.has_value()) {
        return Error(node,
                     "expected an id of 12 letters and digits and a hash of 64 "
                     "hexadecimal digits; expertmesh keygen prints both");
      }
      if (!table_.Add(id, {*hash, tenant})) {
        return Error(node, absl::StrCat("key ", id, ": stands here twice"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadText(const YAML::Node& node, std::string* text) const {
    if (!node.IsScalar()) return Error(node, "expected one value");
    *text = node.Scalar();
    return absl::OkStatus();
  }

  absl::Status ReadName(const YAML::Node& node, std::string* name) const {
    RETURN_IF_ERROR(ReadText(node, name));
    if (IsTenantName(*name)) return absl::OkStatus();
    return Error(node,
                 "expected a name of 1 to 64 letters, digits, '-', '_' and "
                 "'.'");
  }

  absl::Status ReadModels(const YAML::Node& list,
                          std::vector<std::string>* models) const {
    if (!list.IsSequence() || list.size() == 0) {
      return Error(list, "expected a list of models; without one: all");
    }
    for (const YAML::Node& node : list) {
      RETURN_IF_ERROR(ReadText(node, &models->emplace_back()));
    }
    return absl::OkStatus();
  }

  Reader LimitReader(int64_t* limit) const {
    return [this, limit](const YAML::Node& node) -> absl::Status {
      const std::string text = node.IsScalar() ? node.Scalar() : "";
      if (absl::SimpleAtoi(text, limit) && *limit >= 1 && *limit <= kMaxLimit) {
        return absl::OkStatus();
      }
      return Error(node, absl::StrCat("expected a number from 1 to ", kMaxLimit,
                                      "; without the key there is no limit"));
    };
  }

  absl::Status ReadClass(const YAML::Node& node, PriorityClass* result) const {
    const std::map<std::string, PriorityClass> classes = {
        {"low", PriorityClass::kLow},
        {"normal", PriorityClass::kNormal},
        {"high", PriorityClass::kHigh}};
    const auto found = classes.find(node.IsScalar() ? node.Scalar() : "");
    if (found == classes.end()) {
      return Error(node, "expected low, normal or high");
    }
    *result = found->second;
    return absl::OkStatus();
  }

  absl::Status ReadSwitch(const YAML::Node& node, bool* result) const {
    const std::string text = node.IsScalar() ? node.Scalar() : "";
    if (text != "true" && text != "false") {
      return Error(node, "expected true or false");
    }
    *result = text == "true";
    return absl::OkStatus();
  }

  const std::string& path_;
  TenantTable table_;
  std::set<std::string> names_;
};

}  // namespace

absl::StatusOr<TenantTable> ReadTenantFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  try {
    return TenantReader(path).Read(text);
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": line ", error.mark.line + 1, ": ", error.msg));
  }
}

}  // namespace mesh::gateway
