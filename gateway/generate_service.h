// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>

#include "absl/status/statusor.h"
#include "gateway/admission/tenant.h"
#include "gateway/generation.h"
#include "mesh/gateway/v1/inference_service.pb.h"

namespace mesh::gateway {

// One Generate call: an answer that is written as messages of gRPC.
// Threads: as gRPC and AnswerWriter say. Lives until gRPC lets go of it.
class GenerateCall final
    : public grpc::ServerWriteReactor<v1::GenerateResponse>,
      public AnswerWriter {
 public:
  // A caller that is not known gets its error and nothing else.
  static grpc::ServerWriteReactor<v1::GenerateResponse>* Start(
      const GenerationContext& context,
      absl::StatusOr<std::shared_ptr<const Tenant>> tenant,
      grpc::CallbackServerContext* server_context,
      const v1::GenerateRequest& request);

  void WriteStart(const AnswerStart& start) override;
  void WriteDelta(AnswerDelta delta) override;
  void WriteEnd(const AnswerEnd& end) override;
  void BreakOff() override;

 private:
  GenerateCall(const GenerationContext& context,
               std::shared_ptr<const Tenant> tenant,
               grpc::CallbackServerContext* server_context);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  const GenerationContext context_;
  grpc::CallbackServerContext* const server_context_;
  const absl::Time deadline_;
  const std::shared_ptr<Generation> generation_;
  v1::GenerateResponse response_;  // being written
};

}  // namespace mesh::gateway
