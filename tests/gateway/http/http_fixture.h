// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "gateway/http/http_server.h"
#include "service/process_stats.h"
#include "tests/gateway/http/raw_client.h"
#include "tests/gateway/net/eventually.h"
#include "tests/support/status_matchers.h"

namespace mesh::gateway {

// GET /ok and POST /echo are answered at once; what else comes is for the test,
// which waits for it.
class TestHandler final : public HttpHandler {
 public:
  struct Call {
    HttpRequest request;
    std::shared_ptr<Responder> responder;
  };

  void Handle(HttpRequest request,
              std::shared_ptr<Responder> responder) override {
    if (request.path == "/ok") {
      responder->Respond({200, {{"Content-Type", "text/plain"}}, "fine"});
    } else if (request.path == "/echo") {
      responder->Respond({200, {}, std::move(request.body)});
    } else {
      MutexLock lock(mutex_);
      calls_.push_back({std::move(request), std::move(responder)});
    }
  }

  Call Next() {
    Call call;
    EXPECT_TRUE(Eventually([&] {
      call = TryNext();
      return call.responder != nullptr;
    }));
    return call;
  }
  // Without a responder if there is none.
  Call TryNext() {
    MutexLock lock(mutex_);
    if (calls_.empty()) return {};
    Call call = std::move(calls_.front());
    calls_.pop_front();
    return call;
  }

 private:
  Mutex mutex_;
  std::deque<Call> calls_ ABSL_GUARDED_BY(mutex_);
};

// A server on loopback, its limits as the test sets them before Start().
class HttpFixture : public ::testing::Test {
 protected:
  HttpFixture() {
    // Tests come from one address, and often.
    options_.connections.max_new_per_second = 1'000'000;
    options_.connections.max_per_address = 10'000;
  }

  void Start() {
    auto server = HttpServer::Start(options_, handler_, clock_);
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  const std::string& Address() const { return server_->Address(); }

  RawAnswer GoodAnswer() const {
    RawClient client(Address());
    client.Send("GET /ok HTTP/1.1\r\nHost: h\r\n\r\n");
    return client.Answer();
  }
  // The server serves, and holds nothing of what was before.
  void ExpectUnharmed() {
    EXPECT_EQ(GoodAnswer().body, "fine");
    EXPECT_TRUE(Eventually([&] { return server_->NumConnections() == 0; }));
    EXPECT_TRUE(Eventually([&] {
      return service::ReadProcessStats().num_fds == num_fds_before_;
    })) << service::ReadProcessStats().num_fds
        << " descriptors, not " << num_fds_before_;
  }
  // Call it once the server runs.
  void RememberDescriptors() {
    num_fds_before_ = service::ReadProcessStats().num_fds;
  }

  RealClock clock_;
  HttpServerOptions options_;
  TestHandler handler_;
  std::unique_ptr<HttpServer> server_;
  int num_fds_before_ = 0;
};

}  // namespace mesh::gateway
