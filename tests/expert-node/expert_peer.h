// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "expert-node/expert_server.h"
#include "mesh/expert/v1/expert_service.grpc.pb.h"
#include "model/checkpoint.h"
#include "router/transport/data_plane.h"
#include "router/transport/wire_format.h"

namespace mesh::expert {

// An attention node as an expert node sees it: asks for a link, sends rows.
// Used on one thread.
class ExpertPeer final : private router::FrameHandler {
 public:
  ExpertPeer(const std::string& model_dir, const std::string& kernels,
             const router::DataPlaneOptions& data_plane);

  // What a good attention node would ask.
  v1::OpenDataPlaneRequest Request() const;
  static absl::StatusOr<v1::OpenDataPlaneResponse> Open(
      const std::string& address, const v1::OpenDataPlaneRequest& request);
  static absl::StatusOr<v1::GetStatsResponse> Stats(const std::string& address,
                                                    bool with_holdings);
  // Opens a link and keeps it.
  absl::Status Link(const std::string& address);

  // Sends one row for one expert over the link and waits for the answer. True
  // if the answer has the bits that this process computes.
  bool RowIsRight(const router::ExpertKey& key);
  bool Lost() const { return lost_; }
  router::TransportStats TransportStats() const {
    return end_.transport->Stats();
  }

 private:
  void OnFrame(PeerId from, router::Frame frame) override;
  void OnPeerLost(PeerId peer, const absl::Status& reason) override;
  std::vector<std::byte> HiddenRow() const;
  absl::Status SendRow(const router::ExpertKey& key,
                       const std::vector<std::byte>& hidden);
  std::vector<std::byte> ExpectedRow(const router::ExpertKey& key,
                                     const std::vector<std::byte>& hidden);

  const kernels::Kernels kernels_;
  const std::string transport_;
  std::unique_ptr<model::Checkpoint> checkpoint_;
  router::WireLimits wire_;
  router::DataPlaneEnd end_;
  PeerId peer_;
  uint64_t next_frame_ = 1;
  std::vector<router::Frame> answers_;
  bool lost_ = false;
};

}  // namespace mesh::expert
