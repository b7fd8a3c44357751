// SPDX-License-Identifier: Apache-2.0
// What an identity is; who may call whom with it is in grpc_tls_test.cc.
#include "service/peer_identity.h"

#include <gtest/gtest.h>

namespace mesh::service {
namespace {

TEST(PeerIdentity, IsTheRoleAndNameOfAMesh) {
  const auto identity =
      ParseSpiffeId("spiffe://expertmesh/mesh/attention-node/attention-0");
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->role, Role::kAttention);
  EXPECT_EQ(identity->name, "attention-0");
  EXPECT_TRUE(ParseSpiffeId("spiffe://a.example/mesh/operator/me").has_value());
}

TEST(PeerIdentity, AnythingElseIsNobody) {
  for (const char* uri :
       {"", "spiffe://", "https://expertmesh/mesh/router/r",
        "spiffe:///mesh/router/r", "spiffe://expertmesh/mesh/router",
        "spiffe://expertmesh/mesh/router/", "spiffe://expertmesh/mesh/king/r",
        "spiffe://expertmesh/mesh/router/r/x",
        "spiffe://expertmesh/ns/router/r",
        "xspiffe://expertmesh/mesh/router/r"}) {
    EXPECT_FALSE(ParseSpiffeId(uri).has_value()) << uri;
  }
}

TEST(Roles, HaveNamesThatParse) {
  for (const Role role : {Role::kGateway, Role::kAttention, Role::kExpert,
                          Role::kRouter, Role::kOperator}) {
    EXPECT_EQ(ParseRole(RoleName(role)), role);
  }
  EXPECT_FALSE(ParseRole("").has_value());
}

}  // namespace
}  // namespace mesh::service
