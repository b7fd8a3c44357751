// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

namespace mesh::cli {

// A routed expert of a layer.
struct ExpertName {
  uint32_t layer = 0;
  uint32_t expert = 0;

  std::string ToString() const {
    return absl::StrCat("expert ", expert, " of layer ", layer);
  }
  friend auto operator<=>(const ExpertName&, const ExpertName&) = default;
};

}  // namespace mesh::cli
