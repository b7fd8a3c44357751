// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/mutex.h"
#include "gateway/gateway_metrics.h"
#include "gateway/openai/error_response.h"
#include "gateway/openai/openai_handlers.h"
#include "gateway/task_thread.h"
#include "tests/gateway/openai/answer_fixture.h"
#include "tests/gateway/openai/events.h"

namespace mesh::gateway {

// A client at the other end of a connection: keeps what comes. Calls back on a
// thread of its own, as the server does. Thread-safe.
class FakeResponder final : public Responder {
 public:
  void Respond(HttpResponse response) override {
    const MutexLock lock(mutex_);
    EXPECT_FALSE(response_.has_value() || status_ != 0);
    response_ = std::move(response);
    changed_.NotifyAll();
  }
  void StartStream(int status, HttpHeaders headers,
                   std::string keep_alive) override {
    const MutexLock lock(mutex_);
    EXPECT_FALSE(response_.has_value() || status_ != 0);
    status_ = status;
    headers_ = std::move(headers);
    keep_alive_ = std::move(keep_alive);
    changed_.NotifyAll();
  }
  void Write(std::string piece, std::function<void(bool ok)> done) override {
    const MutexLock lock(mutex_);
    EXPECT_NE(status_, 0);
    EXPECT_FALSE(ended_);
    EXPECT_FALSE(piece.empty());
    if (!gone_) text_ += piece;
    waiting_.push_back(std::move(done));
    if (gone_) ReleaseOne(false);
    if (reads_) ReleaseOne(true);
    changed_.NotifyAll();
  }
  void EndStream() override {
    const MutexLock lock(mutex_);
    EXPECT_NE(status_, 0);
    EXPECT_FALSE(ended_);
    ended_ = true;
    changed_.NotifyAll();
  }
  void Abort() override {
    {
      const MutexLock lock(mutex_);
      aborted_ = true;
    }
    Leave();
  }
  void OnGone(std::function<void()> gone) override {
    const MutexLock lock(mutex_);
    on_gone_ = std::move(gone);
  }

  // The client goes away.
  void Leave() {
    const MutexLock lock(mutex_);
    if (gone_) return;
    gone_ = true;
    while (!waiting_.empty()) ReleaseOne(false);
    if (on_gone_) server_.Post(std::exchange(on_gone_, nullptr));
    changed_.NotifyAll();
  }
  void StopReading() {
    const MutexLock lock(mutex_);
    reads_ = false;
  }
  void GoOnReading() {
    const MutexLock lock(mutex_);
    reads_ = true;
    while (!waiting_.empty()) ReleaseOne(true);
  }

  // Blocks; fails the test after ten seconds.
  HttpResponse AwaitResponse() {
    const MutexLock lock(mutex_);
    EXPECT_TRUE(WaitFor([&] { return response_.has_value(); })) << text_;
    return response_.value_or(HttpResponse());
  }
  // Of the whole stream.
  Events AwaitEvents() {
    const MutexLock lock(mutex_);
    EXPECT_TRUE(WaitFor([&] { return ended_; })) << text_;
    return Events::Of(text_);
  }
  // `part` has come.
  bool AwaitText(const std::string& part) {
    const MutexLock lock(mutex_);
    return WaitFor([&] { return text_.find(part) != std::string::npos; });
  }
  // A piece waits for the client to read.
  bool AwaitUnread() {
    const MutexLock lock(mutex_);
    return WaitFor([&] { return !reads_ && !waiting_.empty(); });
  }
  HttpHeaders Headers() {
    const MutexLock lock(mutex_);
    return headers_;
  }
  std::string KeepAlive() {
    const MutexLock lock(mutex_);
    return keep_alive_;
  }
  bool HasBegun() {
    const MutexLock lock(mutex_);
    return status_ != 0 || response_.has_value();
  }
  bool WasAborted() {
    const MutexLock lock(mutex_);
    return aborted_;
  }

 private:
  bool WaitFor(const std::function<bool()>& condition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      changed_.WaitFor(mutex_, absl::Milliseconds(100));
    }
    return true;
  }
  void ReleaseOne(bool ok) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (waiting_.empty()) return;
    server_.Post([done = std::move(waiting_.front()), ok] { done(ok); });
    waiting_.pop_front();
  }

  Mutex mutex_;
  CondVar changed_;
  std::optional<HttpResponse> response_ ABSL_GUARDED_BY(mutex_);
  int status_ ABSL_GUARDED_BY(mutex_) = 0;
  HttpHeaders headers_ ABSL_GUARDED_BY(mutex_);
  std::string keep_alive_ ABSL_GUARDED_BY(mutex_);
  std::string text_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::function<void(bool)>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_gone_ ABSL_GUARDED_BY(mutex_);
  bool reads_ ABSL_GUARDED_BY(mutex_) = true;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  TaskThread server_;
};

// An attention node that does what the test says. Thread-safe.
class ScriptedNode final : public NodeLink {
 public:
  void Submit(const Submission& submission) override {
    const MutexLock lock(mutex_);
    submissions_.push_back(submission);
    changed_.NotifyAll();
  }
  void Cancel(RequestId request, uint32_t /*attempt*/) override {
    const MutexLock lock(mutex_);
    cancelled_.push_back(request);
    changed_.NotifyAll();
  }

  // The streams so far, once there are `count`.
  std::vector<Submission> AwaitSubmissions(size_t count) {
    const MutexLock lock(mutex_);
    EXPECT_TRUE(WaitFor([&] { return submissions_.size() >= count; }));
    return submissions_;
  }
  size_t NumSubmissions() {
    const MutexLock lock(mutex_);
    return submissions_.size();
  }
  bool AwaitCancelled(size_t count) {
    const MutexLock lock(mutex_);
    return WaitFor([&] { return cancelled_.size() >= count; });
  }

 private:
  bool WaitFor(const std::function<bool()>& condition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      changed_.WaitFor(mutex_, absl::Milliseconds(100));
    }
    return true;
  }

  Mutex mutex_;
  CondVar changed_;
  std::vector<Submission> submissions_ ABSL_GUARDED_BY(mutex_);
  std::vector<RequestId> cancelled_ ABSL_GUARDED_BY(mutex_);
};

// The handlers with all that is behind them, and a scripted node at the end.
class OpenAiTest : public ::testing::Test {
 protected:
  OpenAiTest()
      : logger_(*service::Logger::Create("error", "gateway", "gateway-0")),
        admission_({}, clock_),
        streams_({.vocab_size = TinyR1().card.vocab_size,
                  .eos_token_ids = TinyR1().card.eos_token_ids},
                 clock_),
        metrics_(registry_, "tiny-r1", /*as_vllm=*/false),
        routes_(ErrorResponse) {
    admission_.SetCapacity(100);
    streams_.OnNodeReady(node_, {.name = "attention-0",
                                 .model = {},
                                 .numerics = "fake",
                                 .vocab_size = TinyR1().card.vocab_size,
                                 .max_positions = 2048,
                                 .routing_tables = {1},
                                 .heartbeat_interval = absl::Seconds(1)});
  }
  // Whatever a test leaves running must end before what it uses.
  ~OpenAiTest() override {
    for (const auto& client : clients_) client->Leave();
    EXPECT_TRUE(running_.AwaitNone(absl::Seconds(10)));
    EXPECT_EQ(streams_.GetCounts().streams, 0);
    handlers_.reset();
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    for (const auto& client : clients_) {
      while (client.use_count() > 1 && absl::Now() < deadline) {
        absl::SleepFor(absl::Milliseconds(1));
      }
      EXPECT_EQ(client.use_count(), 1) << "an exchange is left";
    }
  }

  void Serve(const std::vector<ModelAlias>& aliases = {},
             const std::vector<ModelPrices>& prices = {}) {
    handlers_ = std::make_unique<OpenAiHandlers>(
        Context(),
        OpenAiHandlers::Options{
            .catalog = *ModelCatalog::Create("tiny-r1", aliases, prices),
            .version = "1.2.3",
            .started = absl::FromUnixSeconds(1600000000)});
    handlers_->AddRoutes(routes_);
  }

  GenerationContext Context() {
    return {.model = TinyR1(),
            .streams = streams_,
            .admission = admission_,
            .running = running_,
            .metrics = metrics_,
            .logger = *logger_,
            .clock = clock_,
            .max_unread_bytes = max_unread_bytes_};
  }

  std::shared_ptr<FakeResponder> Send(const std::string& method,
                                      const std::string& path,
                                      const std::string& body,
                                      const HttpHeaders& headers = {}) {
    HttpRequest request{.method = method,
                        .path = path,
                        .query = {},
                        .headers = {{"Content-Type", "application/json"}},
                        .body = body,
                        .peer = "127.0.0.1"};
    request.headers.insert(request.headers.end(), headers.begin(),
                           headers.end());
    clients_.push_back(std::make_shared<FakeResponder>());
    routes_.Handle(std::move(request), clients_.back());
    return clients_.back();
  }
  std::shared_ptr<FakeResponder> Post(const std::string& path,
                                      const std::string& body,
                                      const HttpHeaders& headers = {}) {
    return Send("POST", path, body, headers);
  }

  // The node's next step for one stream.
  void Emit(const Submission& submission, const std::vector<TokenId>& ids,
            std::optional<FinishReason> finish = std::nullopt,
            const absl::Status& status = absl::OkStatus()) {
    StreamResult result{.request = submission.request,
                        .attempt = submission.attempt};
    int& next = next_index_[submission.request.value];
    for (const TokenId id : ids) {
      EmittedToken token{.index = next++, .id = id, .logprob = -0.5F};
      for (int i = 0; i < submission.sampling.num_logprobs; ++i) {
        token.top.push_back({300 + i, -1.0F});
      }
      result.tokens.push_back(std::move(token));
    }
    result.num_cached_tokens = num_cached_[submission.request.value];
    if (finish.has_value()) result.finished = Finished{*finish, status};
    streams_.OnStep(node_.get(), {.streams = {result}, .load = {}});
  }

  static Json JsonOf(const HttpResponse& response) {
    const auto json = ParseJson(response.body, "body");
    EXPECT_TRUE(json.ok()) << json.status() << response.body;
    return json.ok() ? *json : Json();
  }
  static Json ErrorOf(const HttpResponse& response) {
    return JsonOf(response).value("error", Json::object());
  }
  static std::vector<TokenId> Ids(absl::string_view text) {
    return *TinyR1().tokenizer->EncodeText(text);
  }
  static TokenId EndThink() { return *TinyR1().tokenizer->IdOf("</think>"); }

  const RealClock clock_;
  const std::unique_ptr<service::Logger> logger_;
  Admission admission_;
  std::shared_ptr<ScriptedNode> node_ = std::make_shared<ScriptedNode>();
  StreamRouter streams_;
  RunningRequests running_;
  size_t max_unread_bytes_ = size_t{256} << 10;
  prometheus::Registry registry_;
  GatewayMetrics metrics_;
  HttpRoutes routes_;
  std::unique_ptr<OpenAiHandlers> handlers_;
  std::vector<std::shared_ptr<FakeResponder>> clients_;
  std::map<uint64_t, int> next_index_;
  // What Emit says of a stream's prompt.
  std::map<uint64_t, int> num_cached_;
};

}  // namespace mesh::gateway
