// SPDX-License-Identifier: Apache-2.0
#include "gateway/inference_service.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/status_macros.h"
#include "gateway/error_service.h"
#include "gateway/grpc_port/client_address.h"
#include "gateway/inference_proto.h"
#include "gateway/sampling_check.h"
#include "service/handshake_proto.h"

namespace mesh::gateway {
namespace {

// As many as a text of kMaxInputBytes can have.
constexpr int64_t kMaxIds = kMaxInputBytes;

}  // namespace

grpc::ServerUnaryReactor* InferenceService::Answer(
    absl::string_view method, grpc::CallbackServerContext* context,
    const absl::Status& status) {
  context_.metrics.CountResponse("grpc", method,
                                 absl::StatusCodeToString(status.code()));
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status.ok() ? grpc::Status::OK
                              : ToGrpcError(status, context));
  return reactor;
}

grpc::ServerWriteReactor<v1::GenerateResponse>* InferenceService::Generate(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  return GenerateCall::Start(context_, TenantOf(*context), context, *request);
}

absl::StatusOr<std::shared_ptr<const Tenant>> InferenceService::TenantOf(
    const grpc::CallbackServerContext& context) const {
  std::vector<absl::string_view> authorization;
  const auto [begin, end] =
      context.client_metadata().equal_range("authorization");
  for (auto it = begin; it != end; ++it) {
    authorization.emplace_back(it->second.data(), it->second.size());
  }
  return tenants_.Authenticate(authorization, ClientAddress(context.peer()));
}

grpc::ServerUnaryReactor* InferenceService::Cancel(
    grpc::CallbackServerContext* context, const v1::CancelRequest* request,
    v1::CancelResponse* /*response*/) {
  absl::Status status = TenantOf(*context).status();
  if (status.ok()) status = CheckRequestId(request->request_id());
  if (status.ok()) status = context_.running.Cancel(request->request_id());
  return Answer("Cancel", context, status);
}

grpc::ServerUnaryReactor* InferenceService::Tokenize(
    grpc::CallbackServerContext* context, const v1::TokenizeRequest* request,
    v1::TokenizeResponse* response) {
  absl::Status status = TenantOf(*context).status();
  if (status.ok()) status = DoTokenize(*request, response);
  return Answer("Tokenize", context, status);
}

absl::Status InferenceService::DoTokenize(
    const v1::TokenizeRequest& request, v1::TokenizeResponse* response) const {
  std::vector<TokenId> ids;
  if (request.has_messages()) {
    ASSIGN_OR_RETURN(EncodedPrompt prompt,
                     EncodeMessages(FromProto(request.messages()),
                                    /*thinking=*/std::nullopt, context_.model));
    ids = std::move(prompt.ids);
  } else if (request.input_case() == v1::TokenizeRequest::kText) {
    RETURN_IF_ERROR(CheckInputBytes("text", request.text().size()));
    ASSIGN_OR_RETURN(ids, context_.model.tokenizer->EncodeText(request.text()));
  } else {
    return absl::InvalidArgumentError(
        "the request has no input, expected text or messages");
  }
  response->mutable_ids()->Add(ids.begin(), ids.end());
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* InferenceService::Detokenize(
    grpc::CallbackServerContext* context, const v1::DetokenizeRequest* request,
    v1::DetokenizeResponse* response) {
  absl::Status status = TenantOf(*context).status();
  if (status.ok()) status = DoDetokenize(*request, response);
  return Answer("Detokenize", context, status);
}

absl::Status InferenceService::DoDetokenize(
    const v1::DetokenizeRequest& request,
    v1::DetokenizeResponse* response) const {
  RETURN_IF_ERROR(
      CheckCount("number of ids", "ids", request.ids_size(), 0, kMaxIds));
  const std::vector<TokenId> ids(request.ids().begin(), request.ids().end());
  RETURN_IF_ERROR(CheckTokenIds("ids", ids, context_.model.card.vocab_size));
  response->set_text(
      context_.model.tokenizer->Decode(ids, /*skip_special=*/false));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* InferenceService::ListModels(
    grpc::CallbackServerContext* context,
    const v1::ListModelsRequest* /*request*/,
    v1::ListModelsResponse* response) {
  const auto tenant = TenantOf(*context);
  absl::Status status = tenant.status();
  // A model that it may not use does not exist for it.
  if (status.ok() && MayUse(**tenant, context_.model.card.name)) {
    status = DoListModels(response);
  }
  return Answer("ListModels", context, status);
}

absl::Status InferenceService::DoListModels(
    v1::ListModelsResponse* response) const {
  const std::optional<ModelIdentity> identity = context_.streams.Identity();
  if (!identity.has_value()) return StreamRouter::NotReadyError();
  const ModelCard& card = context_.model.card;
  v1::Model* model = response->add_models();
  model->set_name(card.name);
  model->set_context_length(static_cast<uint32_t>(
      std::min(card.max_positions,
               context_.streams.MaxPositions().value_or(card.max_positions))));
  model->set_vocab_size(static_cast<uint32_t>(card.vocab_size));
  model->set_digest(service::DigestBytes(identity->model));
  model->set_numerics_class(identity->numerics);
  model->set_chat_template(std::string(context_.model.chat_template.Name()));
  return absl::OkStatus();
}

}  // namespace mesh::gateway
