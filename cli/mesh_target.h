// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "service/grpc_channel.h"

namespace mesh::cli {

// Where deploy/up puts a mesh unless told otherwise.
inline constexpr char kDefaultGateway[] = "127.0.0.1:9400";
inline constexpr char kDefaultRouter[] = "127.0.0.1:9401";

// A process of a mesh, and how it is trusted.
struct MeshTarget {
  std::string address;  // host:port of its gRPC services
  service::ChannelOptions channel;
  std::string api_key_file = {};  // of a gateway that wants keys; empty: none
};

}  // namespace mesh::cli
