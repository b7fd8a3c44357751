// SPDX-License-Identifier: Apache-2.0
// Who may call whom, with certificates as deploy/certs makes them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "service/grpc_channel.h"
#include "service/grpc_server.h"
#include "tests/service/grpc_client.h"
#include "tests/service/guarded_service.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace mesh::service {
namespace {

using ::testing::HasSubstr;

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
constexpr auto kGone = absl::StatusCode::kUnavailable;

// Certificates of one authority in a folder.
class Authority {
 public:
  TlsOptions Make(const std::string& role, const std::string& name) const {
    const std::string command =
        absl::StrCat(MESH_SOURCE_DIR "/deploy/certs ", folder_.Path(), " ",
                     role, " ", name, " >", folder_.Path("log"));
    EXPECT_EQ(std::system(command.c_str()), 0);
    return {folder_.Path("ca.crt"), folder_.Path(name + ".crt"),
            folder_.Path(name + ".key")};
  }

 private:
  TempDir folder_;
};

class GrpcTlsTest : public ::testing::Test {
 protected:
  GrpcTlsTest() {
    GrpcServer::Options options;
    options.services = {&service_};
    options.listen.tls = authority_.Make("expert-node", "expert-0");
    auto server = GrpcServer::Start(options);
    EXPECT_OK(server);
    server_ = *std::move(server);
  }

  absl::Status CallWith(const TlsOptions& tls) {
    const auto channel = MakeChannel(server_->Address(), {.tls = tls});
    EXPECT_OK(channel);
    return CallRaw(*channel, kGuardedCall, "").status();
  }

  Authority authority_;
  GuardedService service_;
  std::unique_ptr<GrpcServer> server_;
};

TEST_F(GrpcTlsTest, TheRightRoleAndNamePass) {
  EXPECT_OK(CallWith(authority_.Make("attention-node", "attention-0")));
}

TEST_F(GrpcTlsTest, AnotherRoleIsDenied) {
  EXPECT_THAT(CallWith(authority_.Make("gateway", "gateway-0")),
              StatusIs(kDenied,
                       "the certificate is for role gateway; this call is for "
                       "attention-node"));
}

TEST_F(GrpcTlsTest, AnotherNameIsDenied) {
  EXPECT_THAT(CallWith(authority_.Make("attention-node", "attention-1")),
              StatusIs(kDenied,
                       "the certificate is for attention-node attention-1, not "
                       "for attention-node attention-0"));
}

TEST_F(GrpcTlsTest, PlaintextIsRefused) {
  EXPECT_THAT(CallWith({}), StatusIs(kGone));
}

TEST_F(GrpcTlsTest, ACertificateOfAnotherAuthorityIsRefused) {
  const Authority other;
  TlsOptions tls = other.Make("attention-node", "attention-0");
  EXPECT_THAT(CallWith(tls), StatusIs(kGone));
  // Even by one who trusts this server.
  tls.ca_file = authority_.Make("attention-node", "attention-0").ca_file;
  EXPECT_THAT(CallWith(tls), StatusIs(kGone));
}

TEST_F(GrpcTlsTest, ServersOfAnotherAuthorityAreRefused) {
  const Authority other;
  TlsOptions tls = authority_.Make("attention-node", "attention-0");
  tls.ca_file = other.Make("router", "router-0").ca_file;
  EXPECT_THAT(CallWith(tls), StatusIs(kGone));
}

TEST_F(GrpcTlsTest, AnOperatorsCertificateIsNoServers) {
  GrpcServer::Options options;
  options.services = {&service_};
  options.listen.tls = authority_.Make("operator", "me");
  const auto server = GrpcServer::Start(options);
  ASSERT_OK(server);
  const auto channel =
      MakeChannel((*server)->Address(),
                  {.tls = authority_.Make("attention-node", "attention-0")});
  ASSERT_OK(channel);
  EXPECT_THAT(CallRaw(*channel, kGuardedCall, ""), StatusIs(kGone));
}

TEST_F(GrpcTlsTest, AKeyOfAnotherCertificateIsAnErrorAtStart) {
  GrpcServer::Options options;
  options.listen.tls = authority_.Make("router", "router-0");
  options.listen.tls.key_file = authority_.Make("router", "router-1").key_file;
  EXPECT_THAT(GrpcServer::Start(options),
              StatusIs(kGone, HasSubstr("do not belong together")));
}

}  // namespace
}  // namespace mesh::service
