// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "mesh/router/v1/membership_service.pb.h"
#include "service/grpc_channel.h"
#include "service/logger.h"

namespace mesh::router {

// A node's membership in the mesh: joins the router, sends heartbeats, hears
// what changes, and joins again whenever the router was away. Thread-safe.
class MembershipClient {
 public:
  // Called on the client's own thread, one at a time. Must not block for long
  // and must not call Stop(); may call Send().
  class Delegate {
   public:
    virtual ~Delegate() = default;
    // For every join; the client fills in `seen_term` and node.node_id.
    virtual v1::JoinHello MakeHello() = 0;
    // For every heartbeat.
    virtual v1::NodeStatus MakeStatus() = 0;
    // For every heartbeat; nothing is sent if it has no entries.
    virtual v1::LoadReport MakeLoadReport() { return {}; }
    virtual void OnWelcome(const v1::Welcome& /*welcome*/) {}
    virtual void OnPlacement(const v1::Placement& /*placement*/) {}
    virtual void OnHosting(const v1::HostingOrder& /*order*/) {}
    virtual void OnAttentionNodes(const v1::AttentionNodes& /*nodes*/) {}
    virtual void OnReleased() {}
    // The router is away or refused; the client tries again by itself, unless
    // the refusal is final (FAILED_PRECONDITION, PERMISSION_DENIED,
    // INVALID_ARGUMENT).
    virtual void OnDisconnected(const absl::Status& /*reason*/,
                                bool /*final*/) {}
  };

  struct Options {
    std::string router_address;
    service::ChannelOptions channel = {};
  };

  // `delegate` and `logger` outlive the client.
  MembershipClient(const Options& options, Delegate& delegate,
                   const service::Logger& logger);
  ~MembershipClient();

  // Errors: those of service::MakeChannel.
  absl::Status Start();
  // Leaves: ends the stream and the thread. Idempotent.
  void Stop();

  // Queues a holdings report, an adoption or `leaving`. Dropped while there is
  // no membership: MakeHello tells the whole state at the next join.
  void Send(v1::JoinRequest request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mesh::router
