// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/server.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "core/mutex.h"
#include "mesh/router/v1/membership_service.grpc.pb.h"

namespace mesh::expert {

// A router that says what the test wants. Takes one node. Thread-safe.
class FakeRouter final : public router::v1::MembershipService::Service {
 public:
  FakeRouter();
  ~FakeRouter() override;

  const std::string& Address() const { return address_; }
  // Every join is answered so from now on.
  void RefuseWith(const grpc::Status& status);

  // The next message that is no heartbeat; nothing if none comes.
  std::optional<router::v1::JoinRequest> Next();
  // Of the latest heartbeat; waits for one if there was none.
  router::v1::NodeStatus Status();
  void Send(const router::v1::JoinResponse& response);
  void SendOrder(uint64_t epoch, router::v1::HostingPhase phase, uint32_t layer,
                 const std::vector<uint32_t>& experts);
  void Welcome();

 private:
  using Stream = grpc::ServerReaderWriter<router::v1::JoinResponse,
                                          router::v1::JoinRequest>;
  grpc::Status Join(grpc::ServerContext* context, Stream* stream) override;
  void Heard(const router::v1::JoinRequest& request);

  std::string address_;
  std::unique_ptr<grpc::Server> server_;
  Mutex mutex_;
  CondVar changed_;
  grpc::Status refusal_ ABSL_GUARDED_BY(mutex_);
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::deque<router::v1::JoinRequest> heard_ ABSL_GUARDED_BY(mutex_);
  std::optional<router::v1::NodeStatus> status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh::expert
