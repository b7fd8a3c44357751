// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace mesh {

// The whole answer, head and body, of GET `path` at host:port (an IPv4
// address); empty if there is none.
std::string HttpGet(const std::string& address, const std::string& path);

}  // namespace mesh
