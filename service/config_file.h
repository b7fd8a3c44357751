// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mesh::service {

struct ConfigEntry {
  std::string key;
  std::string value;
  int line = 0;  // from 1
};

// What a YAML file says to one role: the keys outside any section, then those
// of `section`. A section is a role's name. Values are single ones, no lists.
// Errors: kNotFound; kResourceExhausted beyond 1 MiB; kInvalidArgument with the
// line for anything that is not such a file, a key that stands twice in one
// place or a section of no role.
absl::StatusOr<std::vector<ConfigEntry>> ReadConfigFile(
    const std::string& path, absl::string_view section);

}  // namespace mesh::service
