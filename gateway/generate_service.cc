// SPDX-License-Identifier: Apache-2.0
#include "gateway/generate_service.h"

#include <string>
#include <utility>

#include "absl/time/time.h"
#include "gateway/error_service.h"
#include "gateway/inference_proto.h"
#include "service/handshake_proto.h"

namespace mesh::gateway {
namespace {

constexpr absl::Duration kLongestDeadline = absl::Hours(24);

absl::Time DeadlineOf(const grpc::CallbackServerContext& context,
                      absl::Time now, absl::Duration otherwise) {
  const absl::Time given = absl::FromChrono(context.deadline());
  if (given > now + kLongestDeadline) return now + otherwise;
  return given;
}

void CountEnd(const GenerationContext& context, const absl::Status& status) {
  context.metrics.CountResponse("grpc", "Generate",
                                absl::StatusCodeToString(status.code()));
}

// Both kinds of call delete themselves in OnDone.
class RefusedCall final
    : public grpc::ServerWriteReactor<v1::GenerateResponse> {
 public:
  RefusedCall(const absl::Status& why, grpc::CallbackServerContext* context) {
    Finish(ToGrpcError(why, context));
  }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerWriteReactor<v1::GenerateResponse>* GenerateCall::Start(
    const GenerationContext& context,
    absl::StatusOr<std::shared_ptr<const Tenant>> tenant,
    grpc::CallbackServerContext* server_context,
    const v1::GenerateRequest& request) {
  if (!tenant.ok()) {
    CountEnd(context, tenant.status());
    return new RefusedCall(tenant.status(), server_context);
  }
  auto* call = new GenerateCall(context, *std::move(tenant), server_context);
  call->generation_->Begin(FromProto(request));
  return call;
}

GenerateCall::GenerateCall(const GenerationContext& context,
                           std::shared_ptr<const Tenant> tenant,
                           grpc::CallbackServerContext* server_context)
    : context_(context),
      server_context_(server_context),
      deadline_(DeadlineOf(*server_context, context.clock.Now(),
                           context.default_deadline)),
      generation_(Generation::Create(
          context,
          {.api = "grpc", .tenant = std::move(tenant), .deadline = deadline_},
          *this)) {}

void GenerateCall::WriteStart(const AnswerStart& start) {
  response_.Clear();
  v1::Started& started = *response_.mutable_started();
  started.set_request_id(start.request_id);
  started.set_model(context_.model.card.name);
  started.set_seed(start.seed);
  started.set_prompt_tokens(static_cast<uint32_t>(start.num_prompt_tokens));
  started.set_routing_table_version(start.identity.routing_table);
  started.set_numerics_class(start.identity.numerics);
  started.set_model_digest(service::DigestBytes(start.identity.model));
  StartWrite(&response_);
}

void GenerateCall::WriteDelta(AnswerDelta delta) {
  response_.Clear();
  *response_.mutable_delta() = ToProto(delta);
  StartWrite(&response_);
}

void GenerateCall::WriteEnd(const AnswerEnd& end) {
  CountEnd(context_, end.status);
  if (!end.status.ok()) {
    Finish(ToGrpcError(end.status, server_context_));
    return;
  }
  response_.Clear();
  v1::Completed& completed = *response_.mutable_completed();
  completed.set_finish_reason(ToProto(end.reason));
  completed.set_migrations(static_cast<uint32_t>(end.num_migrations));
  v1::Usage& usage = *completed.mutable_usage();
  usage.set_prompt_tokens(static_cast<uint32_t>(end.usage.num_prompt_tokens));
  usage.set_completion_tokens(
      static_cast<uint32_t>(end.usage.num_completion_tokens));
  usage.set_reasoning_tokens(
      static_cast<uint32_t>(end.usage.num_reasoning_tokens));
  usage.set_cached_prompt_tokens(
      static_cast<uint32_t>(end.usage.num_cached_tokens));
  StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
}

void GenerateCall::BreakOff() { server_context_->TryCancel(); }

void GenerateCall::OnWriteDone(bool ok) { generation_->OnWritten(ok); }

void GenerateCall::OnCancel() {
  generation_->OnClientGone(context_.clock.Now() >= deadline_);
}

void GenerateCall::OnDone() {
  generation_->Close();
  delete this;
}

}  // namespace mesh::gateway
