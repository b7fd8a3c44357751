// SPDX-License-Identifier: Apache-2.0
#include "service/host_port.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace mesh::service {
namespace {

using ::testing::HasSubstr;

TEST(HostPort, ParsesNamesAndAddresses) {
  for (const char* address :
       {"127.0.0.1:9400", "[::1]:0", "node-3.example:65535", "[fe80::1]:1"}) {
    const auto parsed = ParseHostPort(address);
    ASSERT_OK(parsed);
    EXPECT_EQ(parsed->ToString(), address);
  }
  EXPECT_EQ(ParseHostPort("[::1]:9400")->host, "::1");
}

TEST(HostPort, RefusesAnythingElse) {
  for (const char* address :
       {"", ":", ":80", "host", "host:", "host:x", "host:-1", "host:65536",
        "::1:80", "[::1]", "[]:80", "[::1:80", "[host]:80", "a b:80",
        "http://host:80", "a,b:80", "127.0.0.1:80 x"}) {
    EXPECT_THAT(ParseHostPort(address),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("expected host:port, for example")))
        << address;
  }
}

// A port of the kernel's choice that somebody else listens on.
class TakenPort {
 public:
  TakenPort() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, generic, size), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
    EXPECT_EQ(getsockname(fd_, generic, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~TakenPort() { close(fd_); }

  int Port() const { return port_; }

 private:
  const int fd_;
  int port_ = 0;
};

TEST(CheckBindable, SaysWhatToDo) {
  EXPECT_OK(CheckBindable({"127.0.0.1", 0}, "--listen"));
  EXPECT_OK(CheckBindable({"localhost", 0}, "--listen"));
  const TakenPort taken;
  EXPECT_THAT(CheckBindable({"127.0.0.1", taken.Port()}, "--listen"),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       absl::StrCat("address 127.0.0.1:", taken.Port(),
                                    ": the port is taken; choose another with "
                                    "--listen")));
  EXPECT_THAT(CheckBindable({"192.0.2.1", 0}, "--metrics-listen"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "address 192.0.2.1:0: not an address of this machine; "
                       "choose one with --metrics-listen"));
  EXPECT_THAT(CheckBindable({"no-such-host.invalid", 1}, "--listen"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("the host has no address")));
}

}  // namespace
}  // namespace mesh::service
