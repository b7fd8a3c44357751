// SPDX-License-Identifier: Apache-2.0
#include "gateway/generation.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "gateway/tenant_check.h"

namespace mesh::gateway {
namespace {

uint64_t DrawWord() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

absl::Status DeadlineError() {
  return absl::DeadlineExceededError(
      "the request took longer than its deadline");
}

absl::Status SlowReaderError() {
  return absl::ResourceExhaustedError(
      "the answer was not read for too long; read it as it comes");
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

absl::Status CompletionOf(const AnswerEnd& end) {
  if (!end.status.ok() || end.reason != FinishReason::kCancelled) {
    return end.status;
  }
  return absl::CancelledError("the request was cancelled");
}

std::shared_ptr<Generation> Generation::Create(const GenerationContext& context,
                                               Options options,
                                               AnswerWriter& writer) {
  std::shared_ptr<Generation> generation(
      new Generation(context, std::move(options), writer));
  const MutexLock lock(generation->mutex_);
  generation->self_ = generation;
  return generation;
}

Generation::Generation(const GenerationContext& context, Options options,
                       AnswerWriter& writer)
    : context_(context),
      options_(std::move(options)),
      begun_(context.clock.Now()),
      writer_(&writer) {}

void Generation::Begin(GenerateInput input) {
  std::shared_ptr<Generation> self;
  Demand demand;
  {
    const MutexLock lock(mutex_);
    self = self_.lock();
    absl::StatusOr<Demand> checked = Check(std::move(input));
    if (!checked.ok()) {
      TakeEnd({FinishReason::kFailed, checked.status()});
      WriteNext();
      return;
    }
    demand = *std::move(checked);
  }
  Place place = context_.admission.Ask(std::move(demand),
                                       [self](absl::StatusOr<Ticket> ticket) {
                                         self->OnAdmitted(std::move(ticket));
                                       });
  const MutexLock lock(mutex_);
  // Otherwise it waits for nothing any more, or for nobody.
  if (request_.has_value() && !end_.has_value()) place_ = std::move(place);
}

absl::StatusOr<Demand> Generation::Check(GenerateInput input) {
  if (!context_.streams.Identity().has_value()) {
    return StreamRouter::NotReadyError();
  }
  const int most = context_.model.card.max_positions;
  const int max_positions =
      std::min(most, context_.streams.MaxPositions().value_or(most));
  const absl::Time started = context_.clock.Now();
  ASSIGN_OR_RETURN(GenerationRequest request,
                   CheckTenantInput(std::move(input), *options_.tenant,
                                    context_.model, max_positions, DrawWord()));
  context_.metrics.ObserveTokenizing(context_.clock.Now() - started);
  num_prompt_tokens_ = static_cast<int>(request.prompt.size());
  if (request.request_id.empty()) {
    request.request_id = absl::StrFormat("req-%016x", DrawWord());
  }
  auto answer = AnswerStream::Create(*context_.model.tokenizer, request);
  RETURN_IF_ERROR(answer.status());
  answer_.emplace(*std::move(answer));
  RETURN_IF_ERROR(context_.running.Add(request.request_id, options_.deadline,
                                       self_.lock()));
  request_id_ = request.request_id;
  Demand demand{
      .tenant = options_.tenant,
      .num_prompt_tokens = request.prompt.size(),
      .max_tokens = static_cast<size_t>(request.sampling.max_tokens),
      .num_bytes = sizeof(*this) + request.prompt.size() * sizeof(TokenId),
      .priority = request.priority,
      .deadline = options_.deadline};
  request_ = std::move(request);
  return demand;
}

void Generation::OnAdmitted(absl::StatusOr<Ticket> ticket) {
  Leavings leavings;
  {
    const MutexLock lock(mutex_);
    absl::Status status = ticket.status();
    if (status.ok()) {
      ticket_ = *std::move(ticket);
      context_.metrics.ObserveQueueTime(ticket_->Waited());
      if (!end_.has_value()) status = Submit();
    }
    if (!status.ok()) TakeEnd({FinishReason::kFailed, status});
    request_.reset();
    leavings = TakeLeavings();
    WriteNext();
  }
  GiveBack(std::move(leavings));
}

absl::Status Generation::Submit() {
  const uint64_t seed = request_->sampling.seed;
  ASSIGN_OR_RETURN(
      const StreamRouter::Start start,
      context_.streams.Submit({.request_id = request_id_,
                               .cache_salt = std::move(request_->cache_salt),
                               .prompt = std::move(request_->prompt),
                               .sampling = std::move(request_->sampling),
                               .priority = request_->priority,
                               .deadline = options_.deadline},
                              self_.lock()));
  stream_ = start.id;
  start_ = AnswerStart{request_id_, seed, num_prompt_tokens_, start.identity};
  return absl::OkStatus();
}

Generation::Leavings Generation::TakeLeavings() {
  Leavings leavings;
  if (!end_.has_value()) return leavings;
  leavings.to_cancel = std::exchange(stream_, std::nullopt);
  leavings.place = std::move(place_);
  if (ticket_.has_value()) {
    ticket_->SetOutcome(
        static_cast<size_t>(answer_.has_value() ? answer_->NumTokens() : 0));
    leavings.ticket.emplace(*std::move(ticket_));
    ticket_.reset();
  }
  return leavings;
}

void Generation::GiveBack(Leavings leavings) {
  // Does nothing if the stream has ended by itself.
  if (leavings.to_cancel.has_value()) {
    context_.streams.Cancel(*leavings.to_cancel, absl::OkStatus());
  }
}

void Generation::OnResult(StreamResult result, int num_migrations) {
  const MutexLock lock(inbox_mutex_);
  num_migrations_ = num_migrations;
  inbox_.push_back(std::move(result));
}

void Generation::OnEnd(StreamEnd end) {
  const MutexLock lock(inbox_mutex_);
  num_migrations_ = end.num_migrations;
  inbox_end_ = std::move(end);
}

void Generation::Wake() {
  Leavings leavings;
  {
    const MutexLock lock(mutex_);
    TakeInbox();
    leavings = TakeLeavings();
    WriteNext();
  }
  GiveBack(std::move(leavings));
}

void Generation::Cancel() {
  EndAnswer({FinishReason::kCancelled, absl::OkStatus()});
}

void Generation::Expire() {
  bool is_slow_reader = false;
  {
    const MutexLock lock(mutex_);
    is_slow_reader = parked_ && context_.clock.Now() < options_.deadline;
  }
  EndAnswer(is_slow_reader
                ? StreamEnd{FinishReason::kFailed, SlowReaderError()}
                : StreamEnd{FinishReason::kDeadline, DeadlineError()});
  const MutexLock lock(mutex_);
  if (writer_ != nullptr) writer_->BreakOff();
}

void Generation::OnClientGone(bool is_late) {
  {
    const MutexLock lock(mutex_);
    client_gone_ = true;
  }
  EndAnswer(is_late ? StreamEnd{FinishReason::kDeadline, DeadlineError()}
                    : StreamEnd{FinishReason::kCancelled,
                                absl::CancelledError("the client has gone")});
}

void Generation::OnWritten(bool ok) {
  if (!ok) OnClientGone(/*is_late=*/context_.clock.Now() >= options_.deadline);
  const MutexLock lock(mutex_);
  writing_ = false;
  if (parked_ && unread_.Empty()) Unpark();
  WriteNext();
}

void Generation::EndAnswer(const StreamEnd& end) {
  Leavings leavings;
  {
    const MutexLock lock(mutex_);
    TakeInbox();
    TakeEnd(end);
    leavings = TakeLeavings();
    WriteNext();
  }
  GiveBack(std::move(leavings));
}

void Generation::TakeInbox() {
  std::deque<StreamResult> results;
  std::optional<StreamEnd> end;
  {
    const MutexLock lock(inbox_mutex_);
    results.swap(inbox_);
    end.swap(inbox_end_);
  }
  for (StreamResult& result : results) {
    if (!end_.has_value()) TakeResult(std::move(result));
  }
  if (end.has_value()) TakeEnd(*end);
}

void Generation::TakeResult(StreamResult result) {
  NoteTokens(result.tokens.size());
  unread_.Append(answer_->Push(std::move(result)));
  if (answer_->Stopped()) TakeEnd({FinishReason::kStop, absl::OkStatus()});
  if (writing_ && unread_.NumBytes() > context_.max_unread_bytes) Park();
}

void Generation::Park() {
  if (parked_ || end_.has_value()) return;
  parked_ = true;
  context_.streams.Park(*stream_);
  context_.running.SetDeadline(
      request_id_,
      std::min(options_.deadline, context_.clock.Now() + context_.max_parked));
}

void Generation::Unpark() {
  parked_ = false;
  context_.running.SetDeadline(request_id_, options_.deadline);
  if (stream_.has_value()) context_.streams.Resume(*stream_);
}

void Generation::TakeEnd(const StreamEnd& end) {
  if (end_.has_value()) return;
  end_ = end;
  {
    // An end that is ours does not know it.
    const MutexLock lock(inbox_mutex_);
    end_->num_migrations = num_migrations_;
  }
  if (answer_.has_value()) unread_.Append(answer_->Finish());
}

void Generation::NoteTokens(size_t num_tokens) {
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

void Generation::WriteNext() {
  if (writing_ || finished_ || writer_ == nullptr) return;
  if (client_gone_) {
    start_.reset();
    unread_ = {};
  }
  if (start_.has_value()) {
    writing_ = true;
    const AnswerStart start = *std::exchange(start_, std::nullopt);
    writer_->WriteStart(start);
  } else if (!unread_.Empty()) {
    writing_ = true;
    writer_->WriteDelta(std::exchange(unread_, {}));
  } else if (end_.has_value()) {
    finished_ = true;
    // Before the client can know.
    if (!request_id_.empty()) context_.running.FreeName(request_id_);
    writer_->WriteEnd(MakeEnd());
  }
}

AnswerEnd Generation::MakeEnd() const {
  AnswerEnd end;
  end.reason = end_->reason;
  end.status = end_->status;
  end.num_migrations = end_->num_migrations;
  end.usage.num_prompt_tokens = num_prompt_tokens_;
  if (answer_.has_value()) {
    end.usage.num_cached_tokens = answer_->NumCachedTokens();
    end.usage.num_completion_tokens = answer_->NumTokens();
    end.usage.num_reasoning_tokens = answer_->NumReasoningTokens();
  }
  return end;
}

void Generation::Close() {
  Leavings leavings;
  {
    const MutexLock lock(mutex_);
    if (writer_ == nullptr) return;
    TakeEnd({FinishReason::kCancelled,
             absl::CancelledError("the client has gone")});
    writer_ = nullptr;
    leavings = TakeLeavings();
    Report();
    LeaveRunning();
  }
  GiveBack(std::move(leavings));
}

void Generation::LeaveRunning() {
  if (request_id_.empty()) return;
  if (finished_) {
    context_.running.RemoveNameless();
  } else {
    context_.running.Remove(request_id_);
  }
}

void Generation::Report() {
  const AnswerEnd end = MakeEnd();
  RequestRecord record;
  record.outcome = OutcomeOf(*end_);
  record.duration = context_.clock.Now() - begun_;
  record.num_prompt_tokens = end.usage.num_prompt_tokens;
  record.num_cached_tokens = end.usage.num_cached_tokens;
  record.num_completion_tokens = end.usage.num_completion_tokens;
  record.num_reasoning_tokens = end.usage.num_reasoning_tokens;
  context_.metrics.CountRequest(options_.api, record);
  const absl::Duration to_first =
      first_token_.has_value() ? *first_token_ - begun_ : absl::ZeroDuration();
  context_.logger.Info(
      "request finished",
      {{"request_id", request_id_},
       {"api", options_.api},
       {"outcome", record.outcome},
       {"prompt_tokens", int64_t{record.num_prompt_tokens}},
       {"cached_tokens", int64_t{record.num_cached_tokens}},
       {"completion_tokens", int64_t{record.num_completion_tokens}},
       {"reasoning_tokens", int64_t{record.num_reasoning_tokens}},
       {"migrations", int64_t{end.num_migrations}},
       {"first_token_seconds", absl::ToDoubleSeconds(to_first)},
       {"duration_seconds", absl::ToDoubleSeconds(record.duration)}});
}

}  // namespace mesh::gateway
