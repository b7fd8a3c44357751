// SPDX-License-Identifier: Apache-2.0
// Built with exceptions, which the YAML library throws.
#include "service/config_file.h"

#include <yaml-cpp/yaml.h>

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "service/role.h"

namespace mesh::service {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

class ConfigReader {
 public:
  ConfigReader(std::string path, absl::string_view section)
      : path_(std::move(path)), section_(section) {}

  absl::StatusOr<std::vector<ConfigEntry>> Read(const std::string& text) {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.empty() || documents[0].IsNull()) return outside_;
    if (documents.size() > 1) {
      return Error(documents[1], "a second document, expected one");
    }
    RETURN_IF_ERROR(ReadTop(documents[0]));
    outside_.insert(outside_.end(), inside_.begin(), inside_.end());
    return outside_;
  }

 private:
  static int Line(const YAML::Node& node) { return node.Mark().line + 1; }

  absl::Status Error(const YAML::Node& node, absl::string_view problem) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": line ", Line(node), ": ", problem));
  }

  absl::Status ReadTop(const YAML::Node& top) {
    if (!top.IsMap()) return Error(top, "expected lines of key: value");
    std::set<std::string> seen;
    for (const auto& entry : top) {
      const YAML::Node& key = entry.first;
      const YAML::Node& value = entry.second;
      RETURN_IF_ERROR(CheckKey(key, &seen));
      if (!value.IsMap() && !(value.IsNull() && IsSection(key.Scalar()))) {
        RETURN_IF_ERROR(ReadEntry(key, value, &outside_));
        continue;
      }
      if (!IsSection(key.Scalar())) {
        return Error(key,
                     absl::StrCat(key.Scalar(),
                                  ": no such section; expected gateway, "
                                  "router, attention-node or expert-node"));
      }
      if (value.IsMap()) RETURN_IF_ERROR(ReadSection(key, value));
    }
    return absl::OkStatus();
  }

  absl::Status ReadSection(const YAML::Node& name, const YAML::Node& section) {
    std::set<std::string> seen;
    std::vector<ConfigEntry> entries;
    for (const auto& entry : section) {
      const YAML::Node& key = entry.first;
      RETURN_IF_ERROR(CheckKey(key, &seen));
      RETURN_IF_ERROR(ReadEntry(key, entry.second, &entries));
    }
    if (name.Scalar() == section_) inside_ = std::move(entries);
    return absl::OkStatus();
  }

  static bool IsSection(const std::string& name) {
    const std::optional<Role> role = ParseRole(name);
    return role.has_value() && *role != Role::kOperator;
  }

  absl::Status CheckKey(const YAML::Node& key,
                        std::set<std::string>* seen) const {
    if (!key.IsScalar()) return Error(key, "expected a key");
    if (seen->insert(key.Scalar()).second) return absl::OkStatus();
    return Error(key, absl::StrCat(key.Scalar(), ": stands here twice"));
  }

  absl::Status ReadEntry(const YAML::Node& key, const YAML::Node& value,
                         std::vector<ConfigEntry>* entries) const {
    if (!value.IsScalar()) {
      return Error(key, absl::StrCat(key.Scalar(), ": expected one value"));
    }
    entries->push_back({key.Scalar(), value.Scalar(), Line(key)});
    return absl::OkStatus();
  }

  const std::string path_;
  const absl::string_view section_;
  std::vector<ConfigEntry> outside_;
  std::vector<ConfigEntry> inside_;
};

}  // namespace

absl::StatusOr<std::vector<ConfigEntry>> ReadConfigFile(
    const std::string& path, absl::string_view section) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  try {
    return ConfigReader(path, section).Read(text);
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": line ", error.mark.line + 1, ": ", error.msg));
  }
}

}  // namespace mesh::service
