// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/strings/string_view.h"

namespace mesh::service {

// Of this project, for example "0.1.0".
absl::string_view Version();

}  // namespace mesh::service
