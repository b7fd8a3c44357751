// SPDX-License-Identifier: Apache-2.0
// The service over a loopback channel, on the hash model and one expert node.
#include "attention-node/attention_service.h"

#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "absl/time/clock.h"
#include "attention-node/control_thread.h"
#include "attention-node/engine_thread.h"
#include "attention-node/identity_proto.h"
#include "service/grpc_channel.h"
#include "service/grpc_server.h"
#include "tests/attention-node/engine_harness.h"
#include "tests/attention-node/expert_links_harness.h"
#include "tests/attention-node/gateway_stream.h"
#include "tests/attention-node/submit_proto.h"

namespace mesh::attention {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kLimit = absl::Seconds(20);

class AttentionServiceTest : public ::testing::Test {
 protected:
  explicit AttentionServiceTest(const GatewayConnection::Options& options = {})
      : connections_(options, clock_) {
    const Engine::Options engine = EngineHarness::Roomy();
    forward_.emplace(engine.num_blocks, engine.block_size);
    engine_ = *Engine::Create(engine, model_, *forward_, clock_, nullptr);
    experts_.links->Connect(ExpertLinksHarness::IdOf(0),
                            ExpertLinksHarness::AddressOf(0));
    experts_.links->SetPlacement(experts_.TableOf({0}, 9));
    experts_.transport.on_wait = [this](absl::Duration) {
      absl::SleepFor(absl::Microseconds(100));
      experts_.PollNodes();
    };
    connections_.Open(*engine_, model_);
    connections_.SetRefusal(absl::OkStatus());
    AttentionIdentity identity;
    identity.name = "attention-0";
    identity.model_digest = model_.digest;
    identity.numerics = model_.numerics;
    identity.transport = "in-process";
    service_.SetIdentity(std::make_shared<AttentionIdentity>(identity));
    service::GrpcServer::Options grpc;
    grpc.services = {&service_};
    grpc.service_names = {"mesh.attention.v1.AttentionService"};
    server_ = *service::GrpcServer::Start(grpc);
    stub_ = v1::AttentionService::NewStub(
        *service::MakeChannel(server_->Address(), {}));
    engine_thread_ = std::make_unique<EngineThread>(
        *engine_, EngineThread::Hooks{
                      .before_step = [this] { experts_.links->BeforeStep(); },
                      .after_step =
                          [this](bool more) {
                            connections_.Flush();
                            experts_.links->AfterStep(more);
                          },
                      .idle = [this] { experts_.links->Idle(); }});
    engine_->SetWaker([this] { experts_.links->Wake(); });
    engine_thread_->Start();
    control_.Start([this] {
      connections_.Tick();
      return clock_.Now() + absl::Milliseconds(20);
    });
  }

  ~AttentionServiceTest() override {
    control_.Stop();
    connections_.Close();
    engine_thread_->Stop();
    experts_.links->Stop();
    server_->Shutdown(absl::Seconds(1));
  }

  // A gateway whose hello has been answered.
  std::unique_ptr<GatewayStream> Connect(
      const std::string& name = "gateway-0") {
    auto gateway = std::make_unique<GatewayStream>(*stub_);
    gateway->Hello(name, model_.digest);
    const auto hello = gateway->Next();
    EXPECT_TRUE(hello.has_value() && hello->has_hello());
    return gateway;
  }

  // False if the limit passes first.
  bool WaitFor(const std::function<bool()>& condition) {
    const absl::Time end = absl::Now() + kLimit;
    while (!condition() && absl::Now() < end) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    return condition();
  }

  const RealClock clock_;
  const MoeModel moe_{"reference"};
  const EngineModel model_ = TestModel();
  const std::unique_ptr<service::Logger> logger_ =
      *service::Logger::Create("error", "attention-node", "attention-0");
  ExpertLinksHarness experts_{moe_, 1};
  ExpertDialer dialer_{{.wake = [] {}}, clock_, *logger_};
  std::optional<HashModel> forward_;
  std::unique_ptr<Engine> engine_;
  GatewayConnections connections_;
  AttentionService service_{{.connections = connections_,
                             .links = *experts_.links,
                             .dialer = dialer_,
                             .data_plane = experts_.transport,
                             .logger = *logger_}};
  std::unique_ptr<service::GrpcServer> server_;
  std::unique_ptr<v1::AttentionService::Stub> stub_;
  std::unique_ptr<EngineThread> engine_thread_;
  ControlThread control_{clock_};
};

TEST_F(AttentionServiceTest, SaysWhatRequestsMustFit) {
  GatewayStream gateway(*stub_);
  gateway.Hello("gateway-0", model_.digest);
  const auto response = gateway.Next();
  ASSERT_TRUE(response.has_value());
  const v1::AttentionHello& hello = response->hello();
  EXPECT_EQ(hello.node().name(), "attention-0");
  EXPECT_EQ(hello.handshake().numerics_class(), "hash-1");
  EXPECT_EQ(hello.vocab_size(), HashModel::kVocabSize);
  EXPECT_EQ(hello.max_positions(), 1000U);
  EXPECT_EQ(hello.routing_table_versions_size(), 1);
  EXPECT_EQ(hello.heartbeat_interval_ms(), 250U);
  EXPECT_EQ(hello.max_streams(), 64U);
  EXPECT_OK(gateway.Finish());
}

TEST_F(AttentionServiceTest, StreamsTokensOfSeveralStreams) {
  const auto gateway = Connect();
  std::map<uint64_t, Transcript> transcripts;
  for (uint64_t request = 1; request <= 5; ++request) {
    transcripts[request] = VariedTranscript(request, 6, 40);
    gateway->Submit(SubmitOf(transcripts[request], 2));
  }
  std::map<uint64_t, std::vector<TokenId>> tokens;
  size_t num_finished = 0;
  uint64_t last_step = 0;
  while (num_finished < transcripts.size()) {
    const auto response = gateway->NextEvent();
    ASSERT_TRUE(response.has_value() && response->has_step());
    EXPECT_GT(response->step().step(), last_step);
    last_step = response->step().step();
    EXPECT_GT(response->step().load().kv_blocks_total(), 0U);
    for (const v1::StreamResult& stream : response->step().streams()) {
      EXPECT_EQ(stream.attempt(), 2U);
      for (const v1::Token& token : stream.tokens()) {
        EXPECT_EQ(token.index(), tokens[stream.request()].size());
        tokens[stream.request()].push_back(token.token());
      }
      if (!stream.has_finished()) continue;
      EXPECT_EQ(stream.finished().reason(), v1::FINISH_REASON_LENGTH);
      ++num_finished;
    }
  }
  for (const auto& [request, transcript] : transcripts) {
    EXPECT_EQ(tokens[request], ExpectedTokens(transcript));
  }
}

TEST_F(AttentionServiceTest, GoesOnWhereAStreamStoppedElsewhere) {
  const auto gateway = Connect();
  Transcript transcript = VariedTranscript(3, 6, 30);
  const std::vector<TokenId> expected = ExpectedTokens(transcript);
  transcript.emitted = {expected.begin(), expected.begin() + 11};
  gateway->Submit(SubmitOf(transcript, 4));
  std::vector<TokenId> tokens = transcript.emitted;
  bool finished = false;
  while (!finished) {
    const auto response = gateway->NextEvent();
    ASSERT_TRUE(response.has_value() && response->has_step());
    for (const v1::StreamResult& stream : response->step().streams()) {
      for (const v1::Token& token : stream.tokens()) {
        EXPECT_EQ(token.index(), tokens.size());
        tokens.push_back(token.token());
      }
      finished = finished || stream.has_finished();
    }
  }
  EXPECT_EQ(tokens, expected);
}

TEST_F(AttentionServiceTest, RefusesASubmissionAndServesOn) {
  const auto gateway = Connect();
  v1::Submit submit = SubmitOf(TestTranscript(1, 4, 2), 5);
  submit.set_numerics_class("bf16-9");
  gateway->Submit(submit);
  auto response = gateway->NextEvent();
  ASSERT_TRUE(response.has_value() && response->has_refused());
  EXPECT_EQ(response->refused().request(), 1U);
  EXPECT_EQ(response->refused().attempt(), 5U);
  EXPECT_EQ(response->refused().code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(response->refused().message(), HasSubstr("bf16-9"));
  submit = SubmitOf(TestTranscript(1, 4, 2), 6);
  submit.set_model_digest("no digest");
  gateway->Submit(submit);
  response = gateway->NextEvent();
  ASSERT_TRUE(response.has_value() && response->has_refused());
  EXPECT_EQ(response->refused().code(), grpc::StatusCode::INVALID_ARGUMENT);
  gateway->Submit(SubmitOf(TestTranscript(1, 4, 2), 7));
  response = gateway->NextEvent();
  EXPECT_TRUE(response.has_value() && response->has_step());
}

TEST_F(AttentionServiceTest, RefusesStrangers) {
  {
    GatewayStream gateway(*stub_);
    gateway.Heartbeat();
    EXPECT_THAT(gateway.Finish(), StatusIs(absl::StatusCode::kInvalidArgument,
                                           HasSubstr("first message")));
  }
  {
    const auto gateway = Connect();
    gateway->Hello("gateway-0", model_.digest);
    EXPECT_THAT(gateway->Finish(),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  {
    GatewayStream gateway(*stub_);
    gateway.Hello("gateway-0", {.high = 8, .low = 8});
    EXPECT_THAT(gateway.Finish(),
                StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  {
    GatewayStream gateway(*stub_);
    gateway.Hello("", model_.digest);
    EXPECT_THAT(gateway.Finish(), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  // Good work afterwards.
  const auto gateway = Connect();
  gateway->Submit(SubmitOf(TestTranscript(1, 4, 2), 1));
  EXPECT_TRUE(gateway->NextEvent()->has_step());
}

TEST_F(AttentionServiceTest, ABrokenStreamCancelsItsStreams) {
  const auto other = Connect("gateway-1");
  auto gateway = Connect();
  gateway->Submit(SubmitOf(TestTranscript(1, 4, 900), 1));
  ASSERT_TRUE(gateway->NextEvent()->has_step());
  gateway->Break();
  gateway = nullptr;
  EXPECT_TRUE(WaitFor([&] { return engine_->Counters().finished == 1; }));
  other->Submit(SubmitOf(TestTranscript(1, 4, 3), 2));
  EXPECT_TRUE(other->NextEvent()->has_step());
}

TEST_F(AttentionServiceTest, CancelsAStream) {
  const auto gateway = Connect();
  gateway->Submit(SubmitOf(TestTranscript(1, 4, 900), 1));
  gateway->Cancel(1, 1);
  bool finished = false;
  while (!finished) {
    const auto response = gateway->NextEvent();
    ASSERT_TRUE(response.has_value());
    for (const v1::StreamResult& stream : response->step().streams()) {
      if (!stream.has_finished()) continue;
      finished = true;
      EXPECT_THAT(stream.finished().reason(),
                  ::testing::AnyOf(v1::FINISH_REASON_CANCELLED,
                                   v1::FINISH_REASON_LENGTH));
    }
  }
}

TEST_F(AttentionServiceTest, SendsHeartbeatsWithItsLoad) {
  const auto gateway = Connect();
  for (uint64_t sequence = 1; sequence <= 2; ++sequence) {
    const auto response = gateway->Next();
    ASSERT_TRUE(response.has_value() && response->has_heartbeat());
    EXPECT_EQ(response->heartbeat().sequence(), sequence);
    EXPECT_GT(response->heartbeat().load().kv_blocks_total(), 0U);
    EXPECT_FALSE(response->heartbeat().load().draining());
  }
  connections_.Drain();
  const auto response = gateway->Next();
  EXPECT_TRUE(response->heartbeat().load().draining());
}

TEST_F(AttentionServiceTest, ShowsItsStats) {
  const auto gateway = Connect();
  gateway->Submit(SubmitOf(TestTranscript(1, 4, 1), 1));
  ASSERT_TRUE(gateway->NextEvent()->has_step());
  grpc::ClientContext context;
  v1::GetStatsResponse stats;
  const grpc::Status status = stub_->GetStats(&context, {}, &stats);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(stats.node().name(), "attention-0");
  EXPECT_EQ(stats.submitted(), 1U);
  EXPECT_EQ(stats.emitted_tokens(), 1U);
  EXPECT_GT(stats.load().kv_blocks_total(), 0U);
}

TEST_F(AttentionServiceTest, ProbesTheExpertNodes) {
  grpc::ClientContext context;
  v1::ProbeExpertNodesRequest request;
  request.set_num_bytes(1024);
  v1::ProbeExpertNodesResponse response;
  const grpc::Status status =
      stub_->ProbeExpertNodes(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.probes_size(), 1);
  EXPECT_EQ(response.probes(0).node_id(), 100U);
  EXPECT_EQ(response.probes(0).error(), "");
  EXPECT_GT(response.probes(0).round_trip_us_median(), 0);

  grpc::ClientContext second;
  request.set_num_bytes(64 << 20);
  EXPECT_EQ(stub_->ProbeExpertNodes(&second, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

class ImpatientServiceTest : public AttentionServiceTest {
 protected:
  ImpatientServiceTest()
      : AttentionServiceTest({.max_waiting_entries = 2000,
                              .silence_limit = absl::Milliseconds(200)}) {}
};

TEST_F(ImpatientServiceTest, DropsASilentGateway) {
  const auto gateway = Connect();
  gateway->Submit(SubmitOf(TestTranscript(1, 4, 900), 1));
  EXPECT_TRUE(WaitFor([&] { return connections_.IsEmpty(); }));
  const absl::Status status = gateway->Finish();
  EXPECT_THAT(status.code(),
              ::testing::AnyOf(absl::StatusCode::kDeadlineExceeded,
                               absl::StatusCode::kCancelled));
}

TEST_F(ImpatientServiceTest, CutsOffAGatewayThatDoesNotRead) {
  const auto gateway = Connect();
  for (uint64_t request = 1; request <= 40; ++request) {
    Transcript transcript = TestTranscript(request, 4, 900);
    transcript.sampling.num_logprobs = 20;
    gateway->Submit(SubmitOf(transcript, 1));
  }
  EXPECT_TRUE(WaitFor([&] {
    gateway->Heartbeat();
    return connections_.IsEmpty();
  }));
  const EngineCounters counters = engine_->Counters();
  EXPECT_EQ(counters.finished, counters.submitted);
  EXPECT_LT(counters.emitted_tokens, 40 * 900);
}

}  // namespace
}  // namespace mesh::attention
