// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/admission/tenant_registry.h"
#include "gateway/generate_service.h"
#include "mesh/gateway/v1/inference_service.grpc.pb.h"

namespace mesh::gateway {

// The gateway's API over gRPC: converts, calls, converts back. Thread-safe.
class InferenceService final : public v1::InferenceService::CallbackService {
 public:
  // `tenants` outlives the service.
  InferenceService(const GenerationContext& context, TenantRegistry& tenants)
      : context_(context), tenants_(tenants) {}

  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context,
      const v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* Cancel(grpc::CallbackServerContext* context,
                                   const v1::CancelRequest* request,
                                   v1::CancelResponse* response) override;
  grpc::ServerUnaryReactor* Tokenize(grpc::CallbackServerContext* context,
                                     const v1::TokenizeRequest* request,
                                     v1::TokenizeResponse* response) override;
  grpc::ServerUnaryReactor* Detokenize(
      grpc::CallbackServerContext* context,
      const v1::DetokenizeRequest* request,
      v1::DetokenizeResponse* response) override;
  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* context,
      const v1::ListModelsRequest* request,
      v1::ListModelsResponse* response) override;

 private:
  grpc::ServerUnaryReactor* Answer(absl::string_view method,
                                   grpc::CallbackServerContext* context,
                                   const absl::Status& status);
  absl::Status DoTokenize(const v1::TokenizeRequest& request,
                          v1::TokenizeResponse* response) const;
  absl::Status DoDetokenize(const v1::DetokenizeRequest& request,
                            v1::DetokenizeResponse* response) const;
  absl::Status DoListModels(v1::ListModelsResponse* response) const;

  absl::StatusOr<std::shared_ptr<const Tenant>> TenantOf(
      const grpc::CallbackServerContext& context) const;

  const GenerationContext context_;
  TenantRegistry& tenants_;
};

}  // namespace mesh::gateway
