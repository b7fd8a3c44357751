// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/acceptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/net/io_thread.h"
#include "service/process_stats.h"
#include "tests/gateway/http/raw_client.h"
#include "tests/gateway/net/eventually.h"
#include "tests/support/status_matchers.h"

namespace mesh::gateway {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class AcceptorTest : public ::testing::Test {
 protected:
  ~AcceptorTest() override {
    if (acceptor_ != nullptr) acceptor_->Stop();
    io_->Post([this] { connections_.clear(); });
    io_->Stop();
  }

  absl::Status Listen(const Acceptor::Options& options) {
    auto acceptor = Acceptor::Start(
        io_->Context(), options, clock_, [this](AcceptedConnection connection) {
          address_ = connection.address;
          connections_.push_back(std::move(connection));
          ++num_accepted_;
        });
    if (!acceptor.ok()) return acceptor.status();
    acceptor_ = *std::move(acceptor);
    io_->Start();
    return absl::OkStatus();
  }
  Acceptor::Options Relaxed() const {
    Acceptor::Options options;
    options.limits.max_new_per_second = 1'000'000;
    options.limits.max_per_address = 10'000;
    return options;
  }

  RealClock clock_;
  std::shared_ptr<IoThread> io_ = std::make_shared<IoThread>();
  std::unique_ptr<Acceptor> acceptor_;
  std::atomic<int> num_accepted_ = 0;
  // Of the io thread.
  std::vector<AcceptedConnection> connections_;
  std::string address_;
};

TEST_F(AcceptorTest, GivesConnectionsWithTheirPermits) {
  ASSERT_OK(Listen(Relaxed()));
  const RawClient client(acceptor_->Address());
  ASSERT_TRUE(Eventually([&] { return num_accepted_ == 1; }));
  EXPECT_EQ(acceptor_->NumConnections(), 1);
  EXPECT_EQ(acceptor_->Counters().accepted, 1u);
  io_->Post([this] {
    EXPECT_EQ(address_, "127.0.0.1");
    connections_.clear();
  });
  EXPECT_TRUE(Eventually([&] { return acceptor_->NumConnections() == 0; }));
}

TEST_F(AcceptorTest, LimitsAreCounted) {
  Acceptor::Options options = Relaxed();
  options.limits.max_connections = 2;
  ASSERT_OK(Listen(options));
  const RawClient first(acceptor_->Address());
  const RawClient second(acceptor_->Address());
  ASSERT_TRUE(Eventually([&] { return num_accepted_ == 2; }));
  RawClient third(acceptor_->Address());
  EXPECT_TRUE(third.IsClosed());
  EXPECT_EQ(acceptor_->Counters().refused_total, 1u);
}

TEST_F(AcceptorTest, TheRateIsCounted) {
  Acceptor::Options options = Relaxed();
  options.limits.max_new_per_second = 1;
  ASSERT_OK(Listen(options));
  const RawClient first(acceptor_->Address());
  RawClient second(acceptor_->Address());
  EXPECT_TRUE(second.IsClosed());
  EXPECT_EQ(acceptor_->Counters().refused_rate, 1u);
}

// All descriptors that the process may have.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 200;
    setrlimit(RLIMIT_NOFILE, &few);
    for (int fd = 0; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) {
      taken_.push_back(fd);
    }
  }
  ~NoDescriptors() {
    for (const int fd : taken_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  void Free() {
    close(taken_.back());
    taken_.pop_back();
  }

 private:
  rlimit before_ = {};
  std::vector<int> taken_;
};

TEST_F(AcceptorTest, SurvivesALackOfDescriptors) {
  ASSERT_OK(Listen(Relaxed()));
  {
    NoDescriptors none;
    // The one place that is left is each client's.
    none.Free();
    for (uint64_t i = 1; i <= 20; ++i) {
      RawClient client(acceptor_->Address());
      ASSERT_TRUE(client.IsConnected());
      EXPECT_TRUE(client.IsClosed());
      client.Close();
      EXPECT_TRUE(Eventually(
          [&] { return acceptor_->Counters().refused_descriptors == i; }));
    }
  }
  EXPECT_EQ(num_accepted_, 0);
  const RawClient client(acceptor_->Address());
  EXPECT_TRUE(Eventually([&] { return num_accepted_ == 1; }));
}

TEST_F(AcceptorTest, StopsListening) {
  ASSERT_OK(Listen(Relaxed()));
  acceptor_->Stop();
  acceptor_->Stop();
  EXPECT_TRUE(Eventually(
      [&] { return !RawClient(acceptor_->Address()).IsConnected(); }));
}

TEST_F(AcceptorTest, BadAddresses) {
  Acceptor::Options options;
  options.flag = "--http-listen";
  options.listen = "127.0.0.1";
  EXPECT_THAT(Listen(options), StatusIs(kInvalid));
  options.listen = "192.0.2.1:0";
  EXPECT_THAT(Listen(options),
              StatusIs(kInvalid,
                       "--http-listen 192.0.2.1:0: beyond loopback "
                       "certificates are needed (--tls-ca, --tls-cert, "
                       "--tls-key; deploy/certs makes them); in a closed "
                       "lab --insecure-lab goes without"));
  options.insecure_lab = true;
  EXPECT_THAT(Listen(options),
              StatusIs(kInvalid,
                       "address 192.0.2.1:0: not an address of this "
                       "machine; choose one with --http-listen"));
}

TEST_F(AcceptorTest, ATakenPort) {
  ASSERT_OK(Listen(Relaxed()));
  Acceptor::Options options;
  options.listen = acceptor_->Address();
  EXPECT_THAT(
      Acceptor::Start(io_->Context(), options, clock_, nullptr).status(),
      StatusIs(absl::StatusCode::kAlreadyExists));
}

}  // namespace
}  // namespace mesh::gateway
