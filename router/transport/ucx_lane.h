// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mesh::router {

// The transport and device of the lane that carries messages, for example
// "tcp/lo", from the text of ucp_ep_print_info(); empty if it names none.
std::string LaneOf(absl::string_view endpoint_info);

}  // namespace mesh::router
