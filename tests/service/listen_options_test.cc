// SPDX-License-Identifier: Apache-2.0
#include "service/listen_options.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace mesh::service {
namespace {

using ::testing::HasSubstr;

constexpr auto kBad = absl::StatusCode::kInvalidArgument;

TEST(ListenOptions, LoopbackIsWhatOnlyThisMachineReaches) {
  for (const char* address :
       {"127.0.0.1:1", "127.9.8.7:1", "[::1]:1", "localhost:1", "unix:/x"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "",
                              "127.0.0.1.example.org:1", "localhost.evil:1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(ListenOptions, BeyondLoopbackNeedsCertificatesOrALab) {
  ListenOptions options = {.listen = "10.0.0.1:9400"};
  EXPECT_THAT(CheckListen(options),
              StatusIs(kBad, AllOf(HasSubstr("--listen 10.0.0.1:9400: "),
                                   HasSubstr("deploy/certs"),
                                   HasSubstr("--insecure-lab"))));
  options.insecure_lab = true;
  EXPECT_OK(CheckListen(options));
  options.insecure_lab = false;
  options.tls = {"ca", "cert", "key"};
  EXPECT_OK(CheckListen(options));
}

TEST(ListenOptions, MetricsBeyondLoopbackNeedTheSame) {
  ListenOptions options = {.metrics_listen = "0.0.0.0:10400"};
  EXPECT_THAT(CheckListen(options),
              StatusIs(kBad, HasSubstr("--metrics-listen 0.0.0.0:10400: ")));
  options.insecure_lab = true;
  EXPECT_OK(CheckListen(options));
}

TEST(ListenOptions, MalformedAddressesAreRefused) {
  EXPECT_THAT(CheckListen({.listen = "9400"}), StatusIs(kBad));
  EXPECT_THAT(CheckListen({.advertise = "host"}), StatusIs(kBad));
  EXPECT_THAT(CheckListen({.metrics_listen = "host"}), StatusIs(kBad));
  EXPECT_OK(CheckListen({}));
  EXPECT_OK(CheckListen({.listen = "unix:/tmp/x"}));
}

TEST(ListenOptions, WildcardNeedsAnAddressForOthers) {
  ListenOptions options = {.listen = "0.0.0.0:9400", .insecure_lab = true};
  EXPECT_THAT(CheckListen(options), StatusIs(kBad, HasSubstr("--advertise")));
  options.advertise = "node-3:9400";
  EXPECT_OK(CheckListen(options));
}

}  // namespace
}  // namespace mesh::service
