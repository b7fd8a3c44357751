// SPDX-License-Identifier: Apache-2.0
#include "router/transport/data_plane.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "core/clock.h"
#include "core/status_macros.h"
#include "router/transport/link_address.h"
#include "router/transport/ucx_transport.h"

namespace mesh::router {
namespace {

// The door of an end inside one process: its name is all that a caller needs.
class NameAcceptor final : public LinkAcceptor {
 public:
  NameAcceptor(const InProcessNetwork& network, std::string name)
      : network_(network), name_(std::move(name)) {}

  absl::StatusOr<LinkOffer> Offer(const std::string&,
                                  const std::string&) override {
    if (!network_.HasEndpoint(name_)) {
      return absl::UnavailableError(
          "this node's data plane is closed; try another node");
    }
    return LinkOffer{.address = name_, .link_id = 0, .token = {}};
  }

 private:
  const InProcessNetwork& network_;
  const std::string name_;
};

absl::StatusOr<DataPlaneEnd> OpenInProcess(const DataPlaneOptions& options) {
  if (options.network == nullptr) {
    return absl::InvalidArgumentError(
        "the transport \"in-process\" is for nodes of one process; use "
        "--transport ucx");
  }
  DataPlaneEnd end;
  ASSIGN_OR_RETURN(end.transport,
                   options.network->CreateEndpoint(options.name));
  end.acceptor = std::make_shared<NameAcceptor>(*options.network, options.name);
  end.local_address = options.name;
  return end;
}

}  // namespace

absl::StatusOr<DataPlaneEnd> OpenDataPlane(const DataPlaneOptions& options) {
  if (options.transport == "in-process") return OpenInProcess(options);
  if (options.transport != "ucx") {
    return absl::InvalidArgumentError(
        absl::StrFormat("unknown transport \"%s\"; there are ucx and "
                        "in-process",
                        options.transport));
  }
  static const RealClock clock;
  ASSIGN_OR_RETURN(UcxEnd end, OpenUcx(options.ucx, clock));
  return DataPlaneEnd{.transport = std::move(end.transport),
                      .acceptor = std::move(end.acceptor),
                      .local_address = std::move(end.local_address)};
}

std::string ConnectAddress(const std::string& transport,
                           const LinkOffer& offer) {
  return transport == "ucx" ? PackOffer(offer) : offer.address;
}

}  // namespace mesh::router
