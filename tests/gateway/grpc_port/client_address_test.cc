// SPDX-License-Identifier: Apache-2.0
#include "gateway/grpc_port/client_address.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace mesh::gateway {
namespace {

TEST(ClientAddressTest, IsWhatTheNameOfTheSocketPairSays) {
  for (const char* address : {"203.0.113.5", "2001:db8::1", "fe80::1%eth0"}) {
    const std::string peer =
        absl::StrCat("unix-abstract:", NameOfClient(address, "7f.1"));
    EXPECT_EQ(ClientAddress(peer), address);
  }
}

TEST(ClientAddressTest, ReadsEscapedPeers) {
  EXPECT_EQ(ClientAddress("unix-abstract:expertmesh-client%2F7f.1/2001%3Adb8"),
            "2001:db8");
}

TEST(ClientAddressTest, ReadsPeersOfGrpcsOwnPorts) {
  EXPECT_EQ(ClientAddress("ipv4:203.0.113.5:4711"), "203.0.113.5");
  EXPECT_EQ(ClientAddress("ipv6:[2001:db8::1]:4711"), "2001:db8::1");
  EXPECT_EQ(ClientAddress("ipv6:%5B2001:db8::1%5D:4711"), "2001:db8::1");
}

TEST(ClientAddressTest, LeavesOtherPeersAsTheyAre) {
  EXPECT_EQ(ClientAddress("unix:"), "unix:");
  EXPECT_EQ(ClientAddress("unix-abstract:somebody"), "unix-abstract:somebody");
  EXPECT_EQ(ClientAddress(""), "");
}

}  // namespace
}  // namespace mesh::gateway
