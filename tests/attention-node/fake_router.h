// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/server_context.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "core/mutex.h"
#include "mesh/router/v1/membership_service.grpc.pb.h"

namespace mesh {

// A router that gives everybody the placement that the test sets, and notes
// what it is told. Thread-safe.
class FakeRouter final : public router::v1::MembershipService::Service {
 public:
  grpc::Status Join(
      grpc::ServerContext* /*context*/,
      grpc::ServerReaderWriter<router::v1::JoinResponse,
                               router::v1::JoinRequest>* stream) override {
    router::v1::JoinRequest request;
    uint64_t placed = 0;
    while (stream->Read(&request)) {
      if (request.has_hello()) {
        router::v1::JoinResponse response;
        response.mutable_welcome()->set_node_id(7);
        response.mutable_welcome()->set_term(1);
        response.mutable_welcome()->set_protocol_version(1);
        response.mutable_welcome()->set_heartbeat_interval_ms(20);
        response.mutable_welcome()->set_lease_ms(10000);
        stream->Write(response);
      } else if (request.has_heartbeat()) {
        router::v1::JoinResponse response;
        response.mutable_heartbeat_ack()->set_sequence(
            request.heartbeat().sequence());
        stream->Write(response);
      }
      const router::v1::Placement placement = Note(request);
      if (placement.epoch() == placed) continue;
      placed = placement.epoch();
      router::v1::JoinResponse response;
      *response.mutable_placement() = placement;
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

  void SetPlacement(const router::v1::Placement& placement) {
    const MutexLock lock(mutex_);
    placement_ = placement;
  }

  // Waits for a message that `wanted` likes; nothing after twenty seconds.
  std::optional<router::v1::JoinRequest> WaitFor(
      const std::function<bool(const router::v1::JoinRequest&)>& wanted) {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    const MutexLock lock(mutex_);
    size_t next = 0;
    while (true) {
      for (; next < messages_.size(); ++next) {
        if (wanted(messages_[next])) return messages_[next];
      }
      const absl::Duration left = end - absl::Now();
      if (left <= absl::ZeroDuration()) return std::nullopt;
      changed_.WaitFor(mutex_, left);
    }
  }

 private:
  router::v1::Placement Note(const router::v1::JoinRequest& request) {
    const MutexLock lock(mutex_);
    messages_.push_back(request);
    changed_.NotifyAll();
    return placement_;
  }

  Mutex mutex_;
  CondVar changed_;
  router::v1::Placement placement_ ABSL_GUARDED_BY(mutex_);
  std::vector<router::v1::JoinRequest> messages_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace mesh
