// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "router/control/messages.h"

namespace mesh::router {

// What the controller does to the world. Called on the control thread; must not
// block. What goes to a connection that has ended is dropped.
class NodeLinks {
 public:
  virtual ~NodeLinks() = default;
  virtual void SendWelcome(ConnectionId to, const WelcomeMessage& welcome) = 0;
  virtual void SendPlacement(
      ConnectionId to,
      const std::shared_ptr<const ReachablePlacement>& table) = 0;
  virtual void SendHosting(ConnectionId to, const HostingOrder& order) = 0;
  virtual void SendAttentionNodes(ConnectionId to,
                                  const std::vector<NodeIdentity>& nodes) = 0;
  virtual void SendReleased(ConnectionId to) = 0;
  virtual void SendHeartbeatAck(ConnectionId to, uint64_t sequence) = 0;
  // Ends the stream with a status.
  virtual void Close(ConnectionId connection, const absl::Status& status) = 0;
  // For the log: what happened, to whom, and details for people.
  virtual void Note(absl::string_view event, const std::string& node,
                    const std::string& details) = 0;
};

}  // namespace mesh::router
