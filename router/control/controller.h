// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "router/control/load_monitor.h"
#include "router/control/membership_table.h"
#include "router/control/messages.h"
#include "router/control/node_links.h"
#include "router/control/placement_control.h"
#include "router/control/term_source.h"

namespace mesh::router {

// The control plane's mind: events in, actions out through NodeLinks, time from
// a clock. After each batch of events, and at NextDeadline(), call Tick().
// Owned by the control thread.
class Controller {
 public:
  struct Options {
    MembershipTable::Options membership = {};
    PlacementControl::Options placement = {};
  };

  // What the nodes must agree on; empty while nobody computes.
  struct MeshModel {
    std::optional<Digest> digest;
    std::string numerics_class;
  };

  // All outlive the controller.
  Controller(const Options& options, TermSource& terms, NodeLinks& links,
             const Clock& clock);

  // Join streams. What comes from a stream that has no member is dropped.
  void OnConnected(ConnectionId connection);
  void OnHello(ConnectionId connection, const Hello& hello);
  void OnHeartbeat(ConnectionId connection, uint64_t sequence,
                   MemberStatus status);
  void OnHoldings(ConnectionId connection, const HoldingsReport& report);
  void OnAdopted(ConnectionId connection, uint64_t epoch);
  void OnLoad(ConnectionId connection, std::span<const ExpertTokens> experts);
  void OnLeaving(ConnectionId connection);
  void OnDisconnected(ConnectionId connection);

  // From now on it places nothing and takes nobody in. `why` is for people.
  void StepAside(const std::string& why) { stepped_aside_ = why; }

  void Tick();
  absl::Time NextDeadline() const;

  // Errors: kNotFound if no expert node of that name is alive.
  absl::Status DrainNode(const std::string& name);
  // Errors: those of PlacementControl::Activate; kFailedPrecondition while
  // there is no model.
  absl::Status ActivatePlacement(const Placement& placement);
  // Errors: those of LoadMonitor::Read; kFailedPrecondition while there is no
  // model.
  absl::StatusOr<LoadMonitor::Table> ReadLoad(LoadSpan span,
                                              std::span<const LayerId> layers);

  uint64_t Term() const { return terms_.Term(); }
  const MembershipTable& Members() const { return members_; }
  const MeshModel& Model() const { return model_; }
  // Null while nobody computes.
  const PlacementControl* PlacementState() const { return placement_.get(); }
  LoadMonitor* Load() { return load_.get(); }
  std::string Activity() const;
  // Entries of load reports and adoptions that made no sense.
  uint64_t NumIgnored() const { return num_ignored_; }

 private:
  absl::Status CheckTerm(const Hello& hello);
  absl::Status CheckModel(const Hello& hello) const;
  absl::Status Admit(ConnectionId connection, const Hello& hello);
  void AdoptModel(const Hello& hello);
  absl::Status StartMember(Member& member, const Hello& hello,
                           bool same_incarnation);
  // Who sent a message other than a hello; null if it is to be dropped. Ends a
  // stream that did not begin with a hello.
  Member* SpeakerOf(ConnectionId connection);
  void Lose(Member& member, const std::string& why);
  void Refuse(Member& member, const absl::Status& status);
  void CloseSilent();
  // Forgets the model once nobody computes any more.
  void ForgetModel();
  void TellGateways();

  const Options options_;
  TermSource& terms_;
  NodeLinks& links_;
  const Clock& clock_;
  MembershipTable members_;
  MeshModel model_;
  std::unique_ptr<PlacementControl> placement_;
  std::unique_ptr<LoadMonitor> load_;
  // Streams without a hello, and when they end.
  std::map<ConnectionId, absl::Time> pending_;
  std::vector<NodeIdentity> attention_nodes_;  // as gateways were told
  std::string stepped_aside_;                  // why; empty: it has not
  uint64_t num_ignored_ = 0;
};

}  // namespace mesh::router
