// SPDX-License-Identifier: Apache-2.0
#include "gateway/generate_service.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "gateway/inference_proto.h"
#include "service/grpc_status.h"
#include "service/handshake_proto.h"

namespace mesh::gateway {
namespace {

constexpr absl::Duration kLongestDeadline = absl::Hours(24);

uint64_t DrawWord() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context,
                      absl::Time now, absl::Duration otherwise) {
  const absl::Time given = absl::FromChrono(context.deadline());
  if (given > now + kLongestDeadline) return now + otherwise;
  return given;
}

absl::Status DeadlineError() {
  return absl::DeadlineExceededError(
      "the request took longer than its deadline");
}

std::string OutcomeOf(const StreamEnd& end) {
  if (!end.status.ok()) {
    return absl::AsciiStrToLower(absl::StatusCodeToString(end.status.code()));
  }
  switch (end.reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    default:
      return "cancelled";
  }
}

}  // namespace

GenerateCall* GenerateCall::Start(const InferenceContext& context,
                                  grpc::CallbackServerContext* server_context,
                                  const v1::GenerateRequest& request) {
  std::shared_ptr<GenerateCall> call(new GenerateCall(context, server_context));
  {
    MutexLock lock(call->mutex_);
    call->self_ = call;
    const absl::Status status = call->Begin(request);
    if (!status.ok()) call->TakeEnd({FinishReason::kFailed, status});
    call->WriteNext();
  }
  return call.get();
}

GenerateCall::GenerateCall(const InferenceContext& context,
                           grpc::CallbackServerContext* server_context)
    : context_(context),
      server_context_(server_context),
      begun_(context.clock.Now()) {}

absl::Status GenerateCall::Begin(const v1::GenerateRequest& request) {
  const int max_positions = std::min(context_.model.card.max_positions,
                                     context_.streams.MaxPositions().value_or(
                                         context_.model.card.max_positions));
  ASSIGN_OR_RETURN(GenerationRequest checked,
                   CheckGenerateInput(FromProto(request), context_.model,
                                      max_positions, DrawWord()));
  num_prompt_tokens_ = static_cast<int>(checked.prompt.size());
  if (checked.request_id.empty()) {
    checked.request_id = absl::StrFormat("req-%016x", DrawWord());
  }
  auto answer = AnswerStream::Create(*context_.model.tokenizer, checked);
  RETURN_IF_ERROR(answer.status());
  answer_.emplace(*std::move(answer));
  const absl::Time deadline =
      DeadlineOf(*server_context_, begun_, context_.default_deadline);
  RETURN_IF_ERROR(context_.running.Add(checked.request_id, deadline, self_));
  request_id_ = checked.request_id;
  return Submit(std::move(checked), deadline);
}

absl::Status GenerateCall::Submit(GenerationRequest request,
                                  absl::Time deadline) {
  StreamRouter::Request stream{.request_id = request_id_,
                               .prompt = std::move(request.prompt),
                               .sampling = std::move(request.sampling),
                               .priority = request.priority,
                               .deadline = deadline};
  const uint64_t seed = stream.sampling.seed;
  ASSIGN_OR_RETURN(const StreamRouter::Start start,
                   context_.streams.Submit(std::move(stream), self_));
  stream_ = start.id;
  v1::Started& started = *started_.mutable_started();
  started.set_request_id(request_id_);
  started.set_model(context_.model.card.name);
  started.set_seed(seed);
  started.set_prompt_tokens(static_cast<uint32_t>(num_prompt_tokens_));
  started.set_routing_table_version(start.identity.routing_table);
  started.set_numerics_class(start.identity.numerics);
  started.set_model_digest(service::DigestBytes(start.identity.model));
  must_start_ = true;
  return absl::OkStatus();
}

void GenerateCall::OnResult(StreamResult result, int num_migrations) {
  MutexLock lock(inbox_mutex_);
  num_migrations_ = num_migrations;
  inbox_.push_back(std::move(result));
}

void GenerateCall::OnEnd(StreamEnd end) {
  MutexLock lock(inbox_mutex_);
  num_migrations_ = end.num_migrations;
  inbox_end_ = std::move(end);
}

void GenerateCall::Wake() {
  std::optional<RequestId> to_cancel;
  {
    MutexLock lock(mutex_);
    const bool was_running = !end_.has_value();
    TakeInbox();
    if (was_running && end_.has_value()) to_cancel = stream_;
    WriteNext();
  }
  // Does nothing if the stream has ended by itself.
  if (to_cancel) context_.streams.Cancel(*to_cancel, absl::OkStatus());
}

void GenerateCall::Cancel() {
  EndAnswer({FinishReason::kCancelled, absl::OkStatus()});
}

void GenerateCall::Expire() {
  EndAnswer({FinishReason::kDeadline, DeadlineError()});
  MutexLock lock(mutex_);
  // gRPC's objects live until OnDone, which takes `self_` away.
  if (self_ != nullptr) server_context_->TryCancel();
}

void GenerateCall::EndAnswer(const StreamEnd& end) {
  std::optional<RequestId> to_cancel;
  {
    MutexLock lock(mutex_);
    TakeInbox();
    TakeEnd(end);
    to_cancel = stream_;
    WriteNext();
  }
  if (to_cancel) context_.streams.Cancel(*to_cancel, absl::OkStatus());
}

void GenerateCall::TakeInbox() {
  std::deque<StreamResult> results;
  std::optional<StreamEnd> end;
  {
    MutexLock lock(inbox_mutex_);
    results.swap(inbox_);
    end.swap(inbox_end_);
  }
  for (StreamResult& result : results) {
    if (!end_.has_value()) TakeResult(std::move(result));
  }
  if (end.has_value()) TakeEnd(*end);
}

void GenerateCall::TakeResult(StreamResult result) {
  if (writing_ && unread_.NumBytes() > context_.max_unread_bytes) {
    unread_ = {};
    TakeEnd({FinishReason::kFailed,
             absl::ResourceExhaustedError(absl::StrCat(
                 "the answer is read too slowly: more than ",
                 context_.max_unread_bytes, " bytes of it wait"))});
    // The write under way might never end.
    server_context_->TryCancel();
    return;
  }
  NoteTokens(result.tokens.size());
  unread_.Append(answer_->Push(std::move(result)));
  if (answer_->Stopped()) TakeEnd({FinishReason::kStop, absl::OkStatus()});
}

void GenerateCall::TakeEnd(const StreamEnd& end) {
  if (end_.has_value()) return;
  end_ = end;
  {
    // An end that is ours does not know it.
    MutexLock lock(inbox_mutex_);
    end_->num_migrations = num_migrations_;
  }
  if (answer_.has_value()) unread_.Append(answer_->Finish());
}

void GenerateCall::NoteTokens(size_t num_tokens) {
  if (num_tokens == 0) return;
  const absl::Time now = context_.clock.Now();
  if (!first_token_.has_value()) {
    first_token_ = now;
    context_.metrics.ObserveFirstToken(now - begun_);
  } else {
    context_.metrics.ObserveTokenGap((now - last_token_) /
                                     static_cast<double>(num_tokens));
  }
  last_token_ = now;
}

void GenerateCall::WriteNext() {
  if (writing_ || finished_) return;
  if (client_gone_) {
    finished_ = true;
    Finish(grpc::Status::CANCELLED);
    return;
  }
  if (must_start_) {
    must_start_ = false;
    response_ = std::move(started_);
  } else if (!unread_.Empty()) {
    response_.Clear();
    *response_.mutable_delta() = ToProto(unread_);
    unread_ = {};
  } else if (end_.has_value()) {
    finished_ = true;
    if (end_->status.ok()) {
      WriteCompleted();
    } else {
      Finish(service::ToGrpc(end_->status));
    }
    return;
  } else {
    return;
  }
  writing_ = true;
  StartWrite(&response_);
}

void GenerateCall::WriteCompleted() {
  response_.Clear();
  v1::Completed& completed = *response_.mutable_completed();
  completed.set_finish_reason(ToProto(end_->reason));
  completed.set_migrations(static_cast<uint32_t>(end_->num_migrations));
  v1::Usage& usage = *completed.mutable_usage();
  usage.set_prompt_tokens(static_cast<uint32_t>(num_prompt_tokens_));
  usage.set_completion_tokens(static_cast<uint32_t>(answer_->NumTokens()));
  usage.set_reasoning_tokens(
      static_cast<uint32_t>(answer_->NumReasoningTokens()));
  StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
}

void GenerateCall::OnWriteDone(bool ok) {
  if (!ok) {
    OnCancel();
    MutexLock lock(mutex_);
    writing_ = false;
    WriteNext();
    return;
  }
  MutexLock lock(mutex_);
  writing_ = false;
  WriteNext();
}

void GenerateCall::OnCancel() {
  const bool is_late =
      absl::FromChrono(server_context_->deadline()) <= context_.clock.Now();
  {
    MutexLock lock(mutex_);
    client_gone_ = true;
  }
  EndAnswer(is_late ? StreamEnd{FinishReason::kDeadline, DeadlineError()}
                    : StreamEnd{FinishReason::kCancelled,
                                absl::CancelledError("the client has gone")});
}

void GenerateCall::OnDone() {
  std::shared_ptr<GenerateCall> last;  // goes after the lock
  {
    MutexLock lock(mutex_);
    Report();
    if (!request_id_.empty()) context_.running.Remove(request_id_);
    last = std::move(self_);
  }
}

void GenerateCall::Report() {
  const StreamEnd end = end_.value_or(
      StreamEnd{FinishReason::kCancelled, absl::CancelledError("")});
  RequestRecord record;
  record.outcome = OutcomeOf(end);
  record.duration = context_.clock.Now() - begun_;
  record.num_prompt_tokens = num_prompt_tokens_;
  if (answer_.has_value()) {
    record.num_completion_tokens = answer_->NumTokens();
    record.num_reasoning_tokens = answer_->NumReasoningTokens();
  }
  context_.metrics.CountRequest("grpc", record);
  const absl::Duration to_first =
      first_token_.has_value() ? *first_token_ - begun_ : absl::ZeroDuration();
  context_.logger.Info(
      "request finished",
      {{"request_id", request_id_},
       {"api", std::string("grpc")},
       {"outcome", record.outcome},
       {"prompt_tokens", int64_t{record.num_prompt_tokens}},
       {"completion_tokens", int64_t{record.num_completion_tokens}},
       {"reasoning_tokens", int64_t{record.num_reasoning_tokens}},
       {"migrations", int64_t{end.num_migrations}},
       {"first_token_seconds", absl::ToDoubleSeconds(to_first)},
       {"duration_seconds", absl::ToDoubleSeconds(record.duration)}});
}

}  // namespace mesh::gateway
