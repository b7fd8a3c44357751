// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "attention-node/attention_identity.h"
#include "attention-node/attention_service.h"
#include "attention-node/gateway_connection.h"
#include "core/mutex.h"

namespace mesh::attention {

// One gateway's stream: messages of AttentionService.Serve in and out of its
// GatewayConnection. Lives until gRPC is done with it and nobody is calling it.
class ServeStream final
    : public grpc::ServerBidiReactor<v1::ServeRequest, v1::ServeResponse>,
      public GatewayConnection::Outlet,
      public std::enable_shared_from_this<ServeStream> {
 public:
  // `parts` outlive the stream.
  static ServeStream* Start(const AttentionService::Parts& parts,
                            std::shared_ptr<const AttentionIdentity> identity,
                            grpc::CallbackServerContext* context);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void OnOutgoing() override;
  void End(const absl::Status& status) override;
  void CutOff(const absl::Status& status) override;

 private:
  ServeStream(const AttentionService::Parts& parts,
              std::shared_ptr<const AttentionIdentity> identity,
              grpc::CallbackServerContext* context)
      : parts_(parts), identity_(std::move(identity)), context_(context) {}

  // Errors: those that end the stream.
  absl::Status Take(const v1::ServeRequest& request);
  absl::Status TakeHello(const v1::GatewayHello& hello);
  void TakeSubmit(const v1::Submit& submit);
  void End(const absl::Status& status, bool at_once);
  void FillHello(v1::AttentionHello* hello) const;
  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False if there is nothing to write.
  bool FillNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const AttentionService::Parts& parts_;
  const std::shared_ptr<const AttentionIdentity> identity_;
  grpc::CallbackServerContext* const context_;
  std::shared_ptr<ServeStream> self_;  // until OnDone

  // Reactions to reads, one at a time.
  v1::ServeRequest request_;
  std::string gateway_;

  Mutex mutex_;
  std::shared_ptr<GatewayConnection> connection_ ABSL_GUARDED_BY(mutex_);
  bool hello_due_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  v1::ServeResponse response_;  // of the write under way
};

}  // namespace mesh::attention
