// SPDX-License-Identifier: Apache-2.0
#include "tests/support/gateway_streams.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "mesh/gateway/v1/inference_service.grpc.pb.h"

namespace mesh {
namespace {

namespace v1 = gateway::v1;

v1::GenerateRequest ToRequest(const ReferenceStream& stream) {
  v1::GenerateRequest request;
  for (const TokenId id : stream.prompt) {
    request.mutable_token_ids()->add_ids(id);
  }
  const attention::SamplingParams& sampling = stream.sampling;
  v1::SamplingOptions& options = *request.mutable_sampling();
  options.set_temperature(sampling.temperature);
  options.set_top_p(sampling.top_p);
  options.set_top_k(sampling.top_k);
  options.set_min_p(sampling.min_p);
  options.set_presence_penalty(sampling.presence_penalty);
  options.set_frequency_penalty(sampling.frequency_penalty);
  options.set_repetition_penalty(sampling.repetition_penalty);
  options.set_seed(sampling.seed);
  request.set_max_tokens(static_cast<uint32_t>(sampling.max_tokens));
  request.set_logprobs(0);
  return request;
}

attention::FinishReason ToReason(v1::FinishReason reason) {
  switch (reason) {
    case v1::FINISH_REASON_STOP:
      return attention::FinishReason::kStop;
    case v1::FINISH_REASON_LENGTH:
      return attention::FinishReason::kLength;
    case v1::FINISH_REASON_CANCELLED:
      return attention::FinishReason::kCancelled;
    default:
      return attention::FinishReason::kFailed;
  }
}

}  // namespace

// One Generate call. Its fields belong to gRPC's reactions until OnDone.
class GatewayStreams::Call final
    : public grpc::ClientReadReactor<v1::GenerateResponse> {
 public:
  Call(GatewayStreams& owner, size_t stream)
      : owner_(owner), stream_(stream), stub_(owner.gateway_) {}

  void Start() {
    request_ = ToRequest(ReferenceStreams()[stream_]);
    // Nothing may hang: far beyond what any stream takes.
    context_.set_deadline(std::chrono::system_clock::now() +
                          std::chrono::minutes(2));
    last_event_ = absl::Now();
    stub_.async()->Generate(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    const absl::Time now = absl::Now();
    longest_gap_ =
        std::max(longest_gap_, now - std::exchange(last_event_, now));
    for (const v1::TokenInfo& token : response_.delta().tokens()) {
      in_order_ = in_order_ && token.index() == result_.tokens.size();
      result_.tokens.push_back(token.id());
      result_.logprobs.push_back(token.logprob());
      owner_.OnToken();
    }
    if (response_.has_completed()) {
      result_.reason = ToReason(response_.completed().finish_reason());
      migrations_ = response_.completed().migrations();
    }
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    status_ = status;
    owner_.OnEnded(this);
  }

  void AddTo(StreamsReport& report) const {
    report.num_migrated += migrations_ > 0 ? 1 : 0;
    report.longest_gap = std::max(report.longest_gap, longest_gap_);
    std::string problem;
    if (!status_.ok()) {
      ++report.num_failed;
      problem = absl::StrCat("ended with code ", status_.error_code(), ": ",
                             status_.error_message());
    } else if (!in_order_ || result_ != owner_.expected_[stream_]) {
      ++report.num_different;
      problem = Difference();
    } else {
      ++report.num_same;
    }
    if (!problem.empty() && report.first_problem.empty()) {
      report.first_problem =
          absl::StrCat("stream ", stream_, " (migrations ", migrations_,
                       ") after ", result_.tokens.size(), " tokens ", problem);
    }
  }

 private:
  std::string Difference() const {
    const StreamResult& expected = owner_.expected_[stream_];
    size_t i = 0;
    while (i < std::min(result_.tokens.size(), expected.tokens.size()) &&
           result_.tokens[i] == expected.tokens[i] &&
           result_.logprobs[i] == expected.logprobs[i]) {
      ++i;
    }
    return absl::StrCat("differs from index ", i, " on; has ",
                        result_.tokens.size(), " tokens of ",
                        expected.tokens.size(),
                        in_order_ ? "" : ", out of order", ", reason ",
                        static_cast<int>(result_.reason), " for ",
                        static_cast<int>(expected.reason));
  }

  GatewayStreams& owner_;
  const size_t stream_;
  v1::InferenceService::Stub stub_;
  grpc::ClientContext context_;
  v1::GenerateRequest request_;
  v1::GenerateResponse response_;
  StreamResult result_;
  bool in_order_ = true;
  uint32_t migrations_ = 0;
  absl::Time last_event_;
  absl::Duration longest_gap_;
  grpc::Status status_;
};

GatewayStreams::GatewayStreams(std::shared_ptr<grpc::Channel> gateway,
                               int num_concurrent, int limit)
    : gateway_(std::move(gateway)),
      num_concurrent_(num_concurrent),
      limit_(limit),
      expected_(Alone()) {
  const MutexLock lock(mutex_);
  StartCalls();
}

GatewayStreams::~GatewayStreams() { Finish(absl::ZeroDuration()); }

void GatewayStreams::StartCalls() {
  // A gateway that is not there refuses as fast as it can be asked.
  constexpr int kMaxFailed = 200;
  while (!finishing_ && num_started_ < limit_ &&
         report_.num_failed < kMaxFailed &&
         running_.size() < static_cast<size_t>(num_concurrent_)) {
    const size_t stream = static_cast<size_t>(num_started_++) % kNumStreams;
    running_.push_back(std::make_unique<Call>(*this, stream));
    running_.back()->Start();
  }
}

void GatewayStreams::OnToken() {
  const MutexLock lock(mutex_);
  ++report_.num_tokens;
  changed_.NotifyAll();
}

void GatewayStreams::OnEnded(Call* call) {
  const MutexLock lock(mutex_);
  call->AddTo(report_);
  std::erase_if(running_,
                [call](const auto& one) { return one.get() == call; });
  StartCalls();
  changed_.NotifyAll();
}

bool GatewayStreams::WaitForTokens(int64_t num_more, absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  const MutexLock lock(mutex_);
  const int64_t wanted = report_.num_tokens + num_more;
  while (report_.num_tokens < wanted) {
    if (!changed_.WaitFor(mutex_, deadline - absl::Now())) return false;
  }
  return true;
}

bool GatewayStreams::WaitForEnded(int num_more, absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  const MutexLock lock(mutex_);
  const int wanted = report_.NumEnded() + num_more;
  while (report_.NumEnded() < wanted) {
    if (!changed_.WaitFor(mutex_, deadline - absl::Now())) return false;
  }
  return true;
}

StreamsReport GatewayStreams::Finish(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  const MutexLock lock(mutex_);
  // With a limit all are to run.
  finishing_ = limit_ == INT_MAX || limit == absl::ZeroDuration();
  bool cancelled = false;
  while (!running_.empty()) {
    if (!cancelled && absl::Now() >= deadline) {
      finishing_ = true;
      cancelled = true;
      for (const auto& call : running_) call->Cancel();
    }
    changed_.WaitFor(mutex_,
                     cancelled ? absl::Seconds(1) : deadline - absl::Now());
  }
  return report_;
}

}  // namespace mesh
