// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "router/transport/in_process_transport.h"
#include "router/transport/link_acceptor.h"
#include "router/transport/transport.h"
#include "router/transport/ucx_options.h"

namespace mesh::router {

// How a node's end of the data plane is made.
struct DataPlaneOptions {
  std::string transport = "ucx";  // or "in-process"
  UcxOptions ucx = {};
  // For "in-process": the network, which outlives the end, and the name of the
  // end in it.
  InProcessNetwork* network = nullptr;
  std::string name = {};
};

// One end of the data plane.
struct DataPlaneEnd {
  std::unique_ptr<Transport> transport;    // for the data-plane thread
  std::shared_ptr<LinkAcceptor> acceptor;  // for any thread
  std::string local_address;  // what a caller tells the node it asks for a link
};

// Errors: kInvalidArgument for options that make no sense; kUnavailable or
// kResourceExhausted if the transport cannot start, with what to do.
absl::StatusOr<DataPlaneEnd> OpenDataPlane(const DataPlaneOptions& options);

// The argument of Transport::Connect() for an offer of that transport's kind.
std::string ConnectAddress(const std::string& transport,
                           const LinkOffer& offer);

}  // namespace mesh::router
