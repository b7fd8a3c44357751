// SPDX-License-Identifier: Apache-2.0
#include "router/client/membership_client.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mesh/router/v1/membership_service.grpc.pb.h"
#include "tests/router/client/watched.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

// A router that does as a test says: answers with `script` of each request.
class FakeRouter final : public v1::MembershipService::CallbackService {
 public:
  using Script = std::function<std::vector<v1::JoinResponse>(
      const v1::JoinRequest& request, grpc::Status* finish)>;

  explicit FakeRouter(Script script) : script_(std::move(script)) { Start(0); }
  ~FakeRouter() override { Stop(); }

  void Start(int port) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port),
                             grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  void Stop() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_ = nullptr;
  }
  int Port() const { return port_; }
  std::string Address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  class Stream final
      : public grpc::ServerBidiReactor<v1::JoinRequest, v1::JoinResponse> {
   public:
    explicit Stream(const Script& script) : script_(script) {
      StartRead(&request_);
    }
    void OnReadDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::CANCELLED);
      grpc::Status finish;
      for (auto& answer : script_(request_, &finish)) {
        answers_.push_back(std::move(answer));
      }
      if (!finish.ok()) return Finish(finish);
      WriteNext();
    }
    void OnWriteDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::CANCELLED);
      WriteNext();
    }
    void OnDone() override { delete this; }

   private:
    // Reads again only when all is written: nothing here is concurrent.
    void WriteNext() {
      if (answers_.empty()) return StartRead(&request_);
      answer_ = std::move(answers_.front());
      answers_.pop_front();
      StartWrite(&answer_);
    }

    const Script& script_;
    v1::JoinRequest request_;
    v1::JoinResponse answer_;
    std::deque<v1::JoinResponse> answers_;
  };

  grpc::ServerBidiReactor<v1::JoinRequest, v1::JoinResponse>* Join(
      grpc::CallbackServerContext* /*context*/) override {
    return new Stream(script_);
  }

  const Script script_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// What the client told its node.
class Node final : public MembershipClient::Delegate {
 public:
  v1::JoinHello MakeHello() override {
    v1::JoinHello hello;
    hello.mutable_node()->set_name("expert-0");
    return hello;
  }
  v1::NodeStatus MakeStatus() override {
    v1::NodeStatus status;
    status.set_activity("working");
    return status;
  }
  v1::LoadReport MakeLoadReport() override {
    v1::LoadReport load;
    if (with_load) load.add_experts()->set_tokens_total(5);
    return load;
  }
  void OnWelcome(const v1::Welcome& /*welcome*/) override {
    watched.Change([this] { ++welcomes; });
  }
  void OnPlacement(const v1::Placement& placement) override {
    watched.Change([&] { epochs.push_back(placement.epoch()); });
  }
  void OnReleased() override {
    watched.Change([this] { released = true; });
  }
  void OnDisconnected(const absl::Status& reason, bool final) override {
    watched.Change([&] {
      last_reason = reason;
      refused = final;
      ++disconnects;
    });
  }

  bool with_load = false;
  Watched watched;
  int welcomes = 0;
  int disconnects = 0;
  bool released = false;
  bool refused = false;
  absl::Status last_reason;
  std::vector<uint64_t> epochs;
};

v1::JoinResponse Welcome(uint64_t term) {
  v1::JoinResponse response;
  response.mutable_welcome()->set_node_id(7);
  response.mutable_welcome()->set_term(term);
  response.mutable_welcome()->set_heartbeat_interval_ms(20);
  return response;
}

v1::JoinResponse Ack(const v1::JoinRequest& request) {
  v1::JoinResponse response;
  response.mutable_heartbeat_ack()->set_sequence(
      request.heartbeat().sequence());
  return response;
}

std::unique_ptr<service::Logger> MakeLogger() {
  return *service::Logger::Create("error", "test", "test");
}

TEST(MembershipClient, JoinsSendsHeartbeatsAndLoadAndHearsOrders) {
  Watched seen;
  int heartbeats = 0;
  int loads = 0;
  bool left = false;
  FakeRouter router([&](const v1::JoinRequest& request, grpc::Status*) {
    std::vector<v1::JoinResponse> answers;
    seen.Change([&] {
      heartbeats += request.heartbeat().status().activity() == "working";
      loads += request.load().experts_size();
      left = left || request.has_leaving();
    });
    if (request.has_hello()) {
      answers.push_back(Welcome(3));
      answers.emplace_back().mutable_placement()->set_epoch(3ULL << 32 | 1);
    }
    if (request.has_heartbeat()) answers.push_back(Ack(request));
    if (request.has_leaving()) answers.emplace_back().mutable_released();
    return answers;
  });
  Node node;
  node.with_load = true;
  const auto logger = MakeLogger();
  MembershipClient client({.router_address = router.Address()}, node, *logger);
  ASSERT_OK(client.Start());
  EXPECT_TRUE(seen.Await([&] { return heartbeats >= 3 && loads >= 3; }));
  EXPECT_TRUE(node.watched.Await([&] { return node.epochs.size() == 1; }));

  v1::JoinRequest leaving;
  leaving.mutable_leaving();
  client.Send(leaving);
  EXPECT_TRUE(seen.Await([&] { return left; }));
  EXPECT_TRUE(node.watched.Await([&] { return node.released; }));
  client.Stop();
  EXPECT_EQ(node.welcomes, 1);
}

TEST(MembershipClient, JoinsAgainWithItsIdAndTermWhenTheRouterIsBack) {
  Watched seen;
  std::vector<std::pair<uint32_t, uint64_t>> hellos;
  FakeRouter router([&](const v1::JoinRequest& request, grpc::Status*) {
    std::vector<v1::JoinResponse> answers;
    if (request.has_hello()) {
      seen.Change([&] {
        hellos.emplace_back(request.hello().node().node_id(),
                            request.hello().seen_term());
      });
      answers.push_back(Welcome(4));
    }
    if (request.has_heartbeat()) answers.push_back(Ack(request));
    return answers;
  });
  Node node;
  const auto logger = MakeLogger();
  MembershipClient client({.router_address = router.Address()}, node, *logger);
  ASSERT_OK(client.Start());
  ASSERT_TRUE(node.watched.Await([&] { return node.welcomes == 1; }));
  router.Stop();
  ASSERT_TRUE(node.watched.Await([&] { return node.disconnects >= 1; }));
  EXPECT_FALSE(node.refused);
  router.Start(router.Port());
  ASSERT_TRUE(node.watched.Await([&] { return node.welcomes == 2; }));
  client.Stop();
  ASSERT_EQ(hellos.size(), 2U);
  EXPECT_EQ(hellos[0], (std::pair<uint32_t, uint64_t>(0, 0)));
  EXPECT_EQ(hellos[1], (std::pair<uint32_t, uint64_t>(7, 4)));
}

TEST(MembershipClient, LeavesARouterThatIsSilent) {
  FakeRouter router([&](const v1::JoinRequest& request, grpc::Status*) {
    std::vector<v1::JoinResponse> answers;
    if (request.has_hello()) answers.push_back(Welcome(1));
    return answers;  // heartbeats are never acknowledged
  });
  Node node;
  const auto logger = MakeLogger();
  MembershipClient client({.router_address = router.Address()}, node, *logger);
  ASSERT_OK(client.Start());
  EXPECT_TRUE(node.watched.Await([&] { return node.disconnects >= 2; }));
  EXPECT_THAT(node.last_reason, StatusIs(absl::StatusCode::kUnavailable));
}

TEST(MembershipClient, RefusesARouterOfAnEarlierTerm) {
  Watched seen;
  uint64_t term = 9;
  FakeRouter router([&](const v1::JoinRequest& request, grpc::Status* finish) {
    std::vector<v1::JoinResponse> answers;
    if (request.has_hello()) {
      seen.Change([&] { answers.push_back(Welcome(term--)); });
    } else {
      *finish = {grpc::StatusCode::UNAVAILABLE, "once is enough"};
    }
    return answers;
  });
  Node node;
  const auto logger = MakeLogger();
  MembershipClient client({.router_address = router.Address()}, node, *logger);
  ASSERT_OK(client.Start());
  EXPECT_TRUE(node.watched.Await([&] { return node.disconnects >= 3; }));
  EXPECT_EQ(node.welcomes, 1);
}

TEST(MembershipClient, StopsAfterAFinalRefusal) {
  Watched seen;
  int hellos = 0;
  FakeRouter router([&](const v1::JoinRequest&, grpc::Status* finish) {
    seen.Change([&] { ++hellos; });
    *finish = {grpc::StatusCode::FAILED_PRECONDITION, "another model"};
    return std::vector<v1::JoinResponse>();
  });
  Node node;
  const auto logger = MakeLogger();
  MembershipClient client({.router_address = router.Address()}, node, *logger);
  ASSERT_OK(client.Start());
  ASSERT_TRUE(node.watched.Await([&] { return node.refused; }));
  EXPECT_THAT(node.last_reason,
              StatusIs(absl::StatusCode::kFailedPrecondition, "another model"));
  client.Stop();
  EXPECT_EQ(hellos, 1);
}

}  // namespace
}  // namespace mesh::router
