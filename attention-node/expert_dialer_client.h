// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "attention-node/dial_schedule.h"
#include "attention-node/expert_dialer.h"
#include "core/mutex.h"
#include "mesh/common/v1/types.pb.h"
#include "mesh/expert/v1/expert_service.pb.h"
#include "router/transport/wire_format.h"
#include "service/grpc_channel.h"

namespace mesh::attention {

// The gRPC half of dialling: asks an expert node for a link of the data plane.
// Thread-safe.
class ExpertDialerClient {
 public:
  struct Options {
    service::ChannelOptions channel = {};
    common::v1::Handshake handshake = {};
    common::v1::NodeInfo node = {};  // this one
    router::WireLimits wire = {};
    std::string transport = {};      // as in OpenDataPlaneRequest
    std::string local_address = {};  // of this node's end
  };

  explicit ExpertDialerClient(const Options& options);
  // Cancels what is under way and waits for it.
  ~ExpertDialerClient();
  ExpertDialerClient(const ExpertDialerClient&) = delete;
  ExpertDialerClient& operator=(const ExpertDialerClient&) = delete;

  // Calls back once, on any thread, with the argument of Transport::Connect.
  // Errors: those of the call (two seconds at most); kFailedPrecondition if
  // the node is another than the router says.
  void Dial(const ExpertPeer& peer, ExpertDialer::Dialled done);

 private:
  struct Call;
  absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(
      const std::string& address);
  void OnDone(Call* call, const absl::Status& status);
  absl::StatusOr<std::string> Check(const Call& call) const;

  const Options options_;
  expert::v1::OpenDataPlaneRequest request_;
  Mutex mutex_;
  CondVar changed_;
  absl::flat_hash_set<Call*> calls_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // By address. Kept, so that none ends on a thread of gRPC's, which would then
  // wait for itself.
  absl::flat_hash_map<std::string, std::shared_ptr<grpc::Channel>> channels_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::attention
