// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "core/check.h"
#include "core/json.h"
#include "core/mutex.h"
#include "gateway/ollama/ollama_handlers.h"
#include "prometheus/registry.h"
#include "tests/gateway/openai/answer_fixture.h"

namespace mesh::gateway {

// A client: keeps what it is sent. A piece has left once the test pumps.
class FakeResponder final : public Responder {
 public:
  void Respond(HttpResponse response) override {
    const MutexLock lock(mutex_);
    EXPECT_FALSE(over_);
    over_ = true;
    response_ = std::move(response);
  }
  void StartStream(int status, HttpHeaders headers,
                   std::string keep_alive) override {
    const MutexLock lock(mutex_);
    EXPECT_FALSE(streams_);
    EXPECT_EQ(keep_alive, "");
    streams_ = true;
    response_.status = status;
    response_.headers = std::move(headers);
  }
  void Write(std::string piece, std::function<void(bool ok)> done) override {
    const MutexLock lock(mutex_);
    EXPECT_TRUE(streams_ && !over_);
    response_.body += piece;
    writes_.push_back(std::move(done));
  }
  void EndStream() override {
    const MutexLock lock(mutex_);
    EXPECT_FALSE(over_);
    over_ = true;
  }
  void Abort() override {
    const MutexLock lock(mutex_);
    aborted_ = true;
  }
  void OnGone(std::function<void()> gone) override {
    const MutexLock lock(mutex_);
    gone_ = std::move(gone);
  }

  // What was written has left, or will not.
  void Pump(bool ok = true) {
    std::vector<std::function<void(bool)>> writes;
    {
      const MutexLock lock(mutex_);
      writes.swap(writes_);
    }
    for (const auto& done : writes) done(ok);
  }
  void Leave() {
    std::function<void()> gone;
    {
      const MutexLock lock(mutex_);
      gone = gone_;
    }
    gone();
    Pump(/*ok=*/false);
  }

  bool IsOver() const {
    const MutexLock lock(mutex_);
    return over_;
  }
  bool IsAborted() const {
    const MutexLock lock(mutex_);
    return aborted_;
  }
  HttpResponse Response() const {
    const MutexLock lock(mutex_);
    return response_;
  }
  // The lines so far; those that are no JSON fail the test.
  std::vector<Json> Lines() const {
    std::vector<Json> lines;
    const std::string body = Response().body;
    size_t begin = 0;
    for (size_t end = body.find('\n'); end != body.npos;
         end = body.find('\n', begin)) {
      const auto line = ParseJson(body.substr(begin, end - begin), "line");
      EXPECT_TRUE(line.ok()) << line.status();
      lines.push_back(line.value_or(Json()));
      begin = end + 1;
    }
    EXPECT_EQ(begin, body.size()) << "the last line has no end";
    return lines;
  }

 private:
  mutable Mutex mutex_;
  HttpResponse response_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void(bool ok)>> writes_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> gone_ ABSL_GUARDED_BY(mutex_);
  bool streams_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
};

// Notes what an attention node is told.
class FakeLink final : public NodeLink {
 public:
  void Submit(const Submission& submission) override {
    const MutexLock lock(mutex_);
    submissions_.push_back(submission);
  }
  void Cancel(RequestId /*request*/, uint32_t /*attempt*/) override {
    const MutexLock lock(mutex_);
    ++num_cancelled_;
  }
  std::vector<Submission> Submissions() const {
    const MutexLock lock(mutex_);
    return submissions_;
  }
  int NumCancelled() const {
    const MutexLock lock(mutex_);
    return num_cancelled_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<Submission> submissions_ ABSL_GUARDED_BY(mutex_);
  int num_cancelled_ ABSL_GUARDED_BY(mutex_) = 0;
};

// The handlers over everything real but the attention node, which says what the
// test lets it say, and the client.
class OllamaTest : public ::testing::Test {
 protected:
  OllamaTest() {
    auto logger = service::Logger::Create("error", "gateway", "gateway-0");
    MESH_CHECK(logger.ok());
    logger_ = *std::move(logger);
    admission_.SetCapacity(8);
    context_.emplace(GenerationContext{.model = TinyR1(),
                                       .streams = streams_,
                                       .admission = admission_,
                                       .running = running_,
                                       .metrics = metrics_,
                                       .logger = *logger_,
                                       .clock = clock_});
    auto catalog = ModelCatalog::Create(
        TinyR1().card.name, {{"fast", TinyR1().card.name, false}}, {});
    MESH_CHECK(catalog.ok());
    OllamaHandlers::Options options;
    options.catalog = *std::move(catalog);
    options.facts.family = "deepseek_v3";
    options.facts.num_bytes = 5;
    options.version = "1.2.3";
    options.authenticate = [this](const HttpRequest& request) {
      return Authenticate(request);
    };
    handlers_.emplace(*context_, std::move(options));
    handlers_->AddRoutes(routes_);
  }

  ~OllamaTest() override {
    EXPECT_TRUE(Await([&] { return running_.NumRunning() == 0; }));
  }

  void AddNode(int max_positions = 2048) {
    streams_.OnNodeReady(link_, {.name = "attention-0",
                                 .model = Digest{1, 2},
                                 .numerics = "n",
                                 .vocab_size = 2048,
                                 .max_positions = max_positions,
                                 .routing_tables = {0},
                                 .heartbeat_interval = {},
                                 .max_streams = 8});
  }

  std::shared_ptr<FakeResponder> Send(const std::string& method,
                                      const std::string& path,
                                      std::string body = "") {
    HttpRequest request{.method = method,
                        .path = path,
                        .query = "",
                        .headers = {{"Content-Type", "application/json"}},
                        .body = std::move(body),
                        .peer = "127.0.0.1"};
    auto responder = std::make_shared<FakeResponder>();
    routes_.Handle(std::move(request), responder);
    return responder;
  }

  // The body of an answer that comes at once.
  Json AtOnce(const std::string& method, const std::string& path,
              int status = 200, const std::string& body = "") {
    const auto responder = Send(method, path, body);
    EXPECT_TRUE(responder->IsOver());
    const HttpResponse response = responder->Response();
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(FindHeader(response.headers, "content-type"), "application/json");
    const auto json = ParseJson(response.body, "body");
    EXPECT_TRUE(json.ok()) << json.status();
    return json.value_or(Json());
  }

  // Waits until the node has been given a `index`th stream.
  Submission Submitted(size_t index = 0) {
    EXPECT_TRUE(Await([&] { return link_->Submissions().size() > index; }));
    return link_->Submissions().at(index);
  }

  // The node emits the tokens of `text`, special ones included.
  void Emit(const Submission& submission, const std::string& text,
            std::optional<Finished> finished = {}) {
    const auto ids = TinyR1().tokenizer->EncodeWithSpecials(text);
    ASSERT_TRUE(ids.ok());
    StreamResult result;
    result.request = submission.request;
    result.attempt = submission.attempt;
    result.finished = std::move(finished);
    for (const TokenId id : *ids) {
      result.tokens.push_back({.index = num_emitted_++, .id = id});
      if (submission.sampling.num_logprobs > 0) {
        result.tokens.back().top = {{id, 0}};
      }
    }
    StepResults step;
    step.streams.push_back(std::move(result));
    streams_.OnStep(link_.get(), std::move(step));
  }

  // Lets what is written leave until `condition` is true.
  bool PumpUntil(FakeResponder& responder,
                 const std::function<bool()>& condition) {
    return Await([&] {
      responder.Pump();
      return condition();
    });
  }

  static bool Await(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(1));
    }
    return true;
  }

  absl::StatusOr<std::shared_ptr<const Tenant>> Authenticate(
      const HttpRequest& /*request*/) const {
    if (!is_known_) return absl::UnauthenticatedError("no key");
    return AnonymousTenant();
  }

  bool is_known_ = true;
  int num_emitted_ = 0;
  const RealClock clock_;
  prometheus::Registry registry_;
  GatewayMetrics metrics_{registry_, "tiny-r1", /*as_vllm=*/false};
  std::unique_ptr<service::Logger> logger_;
  Admission admission_{{}, clock_};
  RunningRequests running_;
  StreamRouter streams_{{.vocab_size = 2048, .eos_token_ids = {1}}, clock_};
  const std::shared_ptr<FakeLink> link_ = std::make_shared<FakeLink>();
  std::optional<GenerationContext> context_;
  std::optional<OllamaHandlers> handlers_;
  HttpRoutes routes_{OllamaErrorResponse};
};

}  // namespace mesh::gateway
