// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/mesh_state.h"
#include "cli/mesh_target.h"
#include "cli/placement_view.h"

namespace mesh::cli {

// Asks a router for what people want to see. Owned by one thread.
class RouterClient {
 public:
  // Errors: kUnavailable if no router answers there; those of MakeChannel.
  static absl::StatusOr<std::unique_ptr<RouterClient>> Connect(
      const MeshTarget& target, absl::Duration limit);
  ~RouterClient();

  // `with_load`: also the load of all windows. Errors: those of the calls, with
  // the router's address.
  absl::StatusOr<MeshState> GetState(bool with_load);
  // Errors: kFailedPrecondition while there is none; those of the call.
  absl::StatusOr<PlacementView> GetPlacement();

 private:
  struct State;
  explicit RouterClient(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
};

}  // namespace mesh::cli
