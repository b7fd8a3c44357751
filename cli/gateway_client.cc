// SPDX-License-Identifier: Apache-2.0
#include "cli/gateway_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cli/connect_client.h"
#include "core/file.h"
#include "core/mutex.h"
#include "core/status_macros.h"
#include "mesh/gateway/v1/inference_service.grpc.pb.h"
#include "service/grpc_status.h"

namespace mesh::cli {
namespace {

namespace v1 = gateway::v1;

// The longest answer of the slowest mesh takes less.
constexpr std::chrono::hours kAnswerLimit{1};
// How soon Ctrl-C is noticed while nothing arrives.
constexpr absl::Duration kInterruptPoll = absl::Milliseconds(50);
constexpr size_t kMaxKeyBytes = 4096;

// One call. The thread that waits for its outcome owns it: its context holds
// the channel, which must not end on a thread of gRPC's.
struct Call {
  grpc::ClientContext context;
  v1::GenerateRequest request;
  Mutex mutex;
  CondVar changed;
  std::deque<v1::GenerateResponse> events ABSL_GUARDED_BY(mutex);
  std::optional<absl::Status> outcome ABSL_GUARDED_BY(mutex);
};

class CallReactor final : public grpc::ClientReadReactor<v1::GenerateResponse> {
 public:
  static void Start(v1::InferenceService::Stub& stub, Call* call) {
    auto* reactor = new CallReactor(call);
    stub.async()->Generate(&reactor->call_->context, &reactor->call_->request,
                           reactor);
    reactor->StartRead(&reactor->response_);
    reactor->StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      MutexLock lock(call_->mutex);
      call_->events.push_back(std::exchange(response_, {}));
      call_->changed.NotifyOne();
    }
    StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    Call* const call = call_;
    absl::Status outcome = service::FromGrpc(status);
    delete this;
    MutexLock lock(call->mutex);
    call->outcome = std::move(outcome);
    call->changed.NotifyOne();
  }

 private:
  explicit CallReactor(Call* call) : call_(call) {}

  Call* const call_;
  v1::GenerateResponse response_;
};

absl::string_view RoleText(gateway::Role role) {
  switch (role) {
    case gateway::Role::kSystem:
      return "system";
    case gateway::Role::kUser:
      return "user";
    case gateway::Role::kAssistant:
      break;
  }
  return "assistant";
}

v1::GenerateRequest MakeRequest(std::span<const gateway::ChatMessage> messages,
                                const AnswerOptions& options) {
  v1::GenerateRequest request;
  for (const gateway::ChatMessage& message : messages) {
    v1::Message* added = request.mutable_messages()->add_messages();
    added->set_role(std::string(RoleText(message.role)));
    added->set_content(message.content);
    added->set_reasoning_content(message.reasoning);
  }
  v1::SamplingOptions& sampling = *request.mutable_sampling();
  if (options.temperature) sampling.set_temperature(*options.temperature);
  if (options.top_p) sampling.set_top_p(*options.top_p);
  if (options.top_k) sampling.set_top_k(*options.top_k);
  if (options.min_p) sampling.set_min_p(*options.min_p);
  if (options.seed) sampling.set_seed(*options.seed);
  request.set_max_tokens(static_cast<uint32_t>(options.max_tokens));
  for (const std::string& stop : options.stops) request.add_stop(stop);
  if (options.no_thinking) request.set_thinking(false);
  return request;
}

attention::FinishReason ReasonOf(v1::FinishReason reason) {
  switch (reason) {
    case v1::FINISH_REASON_LENGTH:
      return attention::FinishReason::kLength;
    case v1::FINISH_REASON_CANCELLED:
      return attention::FinishReason::kCancelled;
    default:
      return attention::FinishReason::kStop;
  }
}

// Adds an event to the answer; returns what it adds.
AnswerPiece Apply(v1::GenerateResponse event, Answer* answer) {
  AnswerPiece piece;
  if (event.has_delta()) {
    v1::Delta& delta = *event.mutable_delta();
    piece.reasoning = std::move(*delta.mutable_reasoning_text());
    piece.text = std::move(*delta.mutable_text());
    piece.num_tokens = delta.tokens_size();
    answer->reasoning += piece.reasoning;
    answer->text += piece.text;
    answer->num_tokens += piece.num_tokens;
  } else if (event.has_completed()) {
    answer->reason = ReasonOf(event.completed().finish_reason());
    const v1::Usage& usage = event.completed().usage();
    answer->num_prompt_tokens = static_cast<int>(usage.prompt_tokens());
    answer->num_tokens = static_cast<int>(usage.completion_tokens());
  }
  return piece;
}

absl::StatusOr<std::string> AuthorizationOf(const MeshTarget& target) {
  if (target.api_key_file.empty()) return std::string();
  ASSIGN_OR_RETURN(const std::string key,
                   ReadFile(target.api_key_file, kMaxKeyBytes));
  return absl::StrCat("Bearer ", absl::StripAsciiWhitespace(key));
}

void Authorize(const std::string& authorization, grpc::ClientContext* context) {
  if (authorization.empty()) return;
  context->AddMetadata("authorization", authorization);
}

}  // namespace

struct GatewayClient::State {
  std::unique_ptr<v1::InferenceService::Stub> stub;
  std::string authorization;  // of every call; empty: none
};

GatewayClient::GatewayClient(std::unique_ptr<State> state)
    : state_(std::move(state)) {}

GatewayClient::~GatewayClient() = default;

absl::StatusOr<std::unique_ptr<GatewayClient>> GatewayClient::Connect(
    const MeshTarget& target, absl::Duration limit) {
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel,
                   cli::Connect(target, limit));
  auto state = std::make_unique<State>();
  state->stub = v1::InferenceService::NewStub(channel);
  ASSIGN_OR_RETURN(state->authorization, AuthorizationOf(target));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoMilliseconds(limit));
  Authorize(state->authorization, &context);
  v1::ListModelsResponse models;
  const absl::Status listed = service::FromGrpc(
      state->stub->ListModels(&context, v1::ListModelsRequest(), &models));
  if (absl::IsUnauthenticated(listed)) {
    return absl::UnauthenticatedError(
        absl::StrCat("the gateway at ", target.address, " wants an API key: ",
                     listed.message(), "; name its file with --api-key-file"));
  }
  if (!listed.ok() || models.models().empty()) {
    return absl::UnavailableError(absl::StrCat(
        "what answers at ", target.address, " is not a gateway that is ready",
        listed.ok() ? "" : ": ", listed.message()));
  }
  auto client =
      std::unique_ptr<GatewayClient>(new GatewayClient(std::move(state)));
  client->address_ = target.address;
  const v1::Model& model = models.models(0);
  client->model_ = {model.name(), absl::BytesToHexString(model.digest()),
                    model.numerics_class()};
  return client;
}

std::string GatewayClient::Description() const {
  return absl::StrCat(model_.name, " on the mesh at ", address_);
}

absl::StatusOr<Answer> GatewayClient::Generate(
    std::span<const gateway::ChatMessage> messages,
    const AnswerOptions& options,
    absl::FunctionRef<void(const AnswerPiece&)> emit,
    absl::FunctionRef<bool()> interrupted) {
  const auto call = std::make_unique<Call>();
  call->request = MakeRequest(messages, options);
  call->context.set_deadline(std::chrono::system_clock::now() + kAnswerLimit);
  Authorize(state_->authorization, &call->context);
  CallReactor::Start(*state_->stub, call.get());

  Answer answer;
  bool cancelled = false;
  while (true) {
    std::deque<v1::GenerateResponse> events;
    std::optional<absl::Status> outcome;
    {
      MutexLock lock(call->mutex);
      if (call->events.empty() && !call->outcome.has_value()) {
        call->changed.WaitFor(call->mutex, kInterruptPoll);
      }
      events.swap(call->events);
      outcome = call->outcome;
    }
    for (v1::GenerateResponse& event : events) {
      emit(Apply(std::move(event), &answer));
    }
    if (outcome.has_value() && cancelled) {
      answer.reason = attention::FinishReason::kCancelled;
      return answer;
    }
    if (outcome.has_value()) {
      RETURN_IF_ERROR(*outcome);
      return answer;
    }
    if (!cancelled && interrupted()) {
      cancelled = true;
      call->context.TryCancel();
    }
  }
}

}  // namespace mesh::cli
