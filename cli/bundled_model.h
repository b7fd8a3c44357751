// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mesh::cli {

// The model that is used where none is named, from the root of the sources.
inline constexpr char kBundledModel[] = "models/tiny-r1";

}  // namespace mesh::cli
