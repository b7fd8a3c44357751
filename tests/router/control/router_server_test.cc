// SPDX-License-Identifier: Apache-2.0
// The router as a whole: who may call it, and what a restart changes.
#include "router/control/router_server.h"

#include <google/protobuf/util/message_differencer.h>

#include "tests/router/control/router_fixture.h"
#include "tests/support/mesh_certificates.h"
#include "tests/support/temp_dir.h"

namespace mesh::router {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

// With certificates for the router, two expert nodes, an attention node, a
// gateway and an operator.
class RouterTlsTest : public RouterFixture {
 protected:
  RouterTlsTest() {
    MakeCertificates(folder_.Path(), 2, 1);
    RouterServer::Options options = QuickOptions();
    options.listen.tls = CertificatesOf("router");
    StartRouter(options);
  }

  service::TlsOptions CertificatesOf(const std::string& name) const {
    return mesh::CertificatesOf(folder_.Path(), name);
  }
  absl::Status Drain(const std::string& caller, const std::string& node) {
    v1::DrainNodeRequest request;
    request.set_name(node);
    v1::DrainNodeResponse response;
    return Call<v1::MembershipService>(&v1::MembershipService::Stub::DrainNode,
                                       request, &response,
                                       CertificatesOf(caller));
  }

  TempDir folder_;
};

TEST_F(RouterTlsTest, ANodeJoinsUnderItsOwnNameOnly) {
  const auto end = [this](const std::string& caller, common::v1::Role role,
                          const std::string& name) {
    return RawNode(Address(), SoundHello(role, name), CertificatesOf(caller))
        .End();
  };
  EXPECT_THAT(
      end("expert-1", common::v1::ROLE_EXPERT, "expert-0"),
      StatusIs(kDenied, AllOf(HasSubstr("expert-1"), HasSubstr("expert-0"))));
  EXPECT_THAT(end("attention-0", common::v1::ROLE_EXPERT, "expert-0"),
              StatusIs(kDenied, HasSubstr("attention-0")));
  EXPECT_THAT(end("operator", common::v1::ROLE_GATEWAY, "gateway"),
              StatusIs(kDenied, HasSubstr("operator")));

  const auto expert =
      Join(common::v1::ROLE_EXPERT, "expert-0", CertificatesOf("expert-0"));
  EXPECT_TRUE(expert->AwaitPlacement(1));
}

TEST_F(RouterTlsTest, OnlyAnOperatorChangesTheMesh) {
  const auto expert =
      Join(common::v1::ROLE_EXPERT, "expert-0", CertificatesOf("expert-0"));
  ASSERT_TRUE(expert->AwaitPlacement(1));
  for (const char* caller : {"gateway", "attention-0", "expert-0", "router"}) {
    EXPECT_THAT(Drain(caller, "expert-0"), StatusIs(kDenied)) << caller;
    v1::ActivatePlacementResponse response;
    EXPECT_THAT(
        Call<v1::PlacementService>(
            &v1::PlacementService::Stub::ActivatePlacement,
            v1::ActivatePlacementRequest(), &response, CertificatesOf(caller)),
        StatusIs(kDenied))
        << caller;
  }
  v1::GetPlacementResponse placement;
  EXPECT_OK(Call<v1::PlacementService>(
      &v1::PlacementService::Stub::GetPlacement, v1::GetPlacementRequest(),
      &placement, CertificatesOf("gateway")));
  EXPECT_OK(Drain("operator", "expert-0"));
}

class RouterRestartTest : public RouterFixture {
 protected:
  v1::ListNodesResponse ListNodes() {
    v1::ListNodesResponse response;
    EXPECT_OK(
        Call<v1::MembershipService>(&v1::MembershipService::Stub::ListNodes,
                                    v1::ListNodesRequest(), &response));
    return response;
  }
};

TEST_F(RouterRestartTest, NodesThatJoinAgainRebuildTheSamePlacement) {
  const TempDir state;
  RouterServer::Options options = QuickOptions();
  options.state_dir = state.Path();
  options.min_expert_nodes = 2;
  StartRouter(options);
  const auto first = JoinExpert("expert-0");
  const auto second = JoinExpert("expert-1");
  const auto attention = JoinAttention("attention-0");
  for (SoundNode* const node : {first.get(), second.get(), attention.get()}) {
    ASSERT_TRUE(node->AwaitPlacement(2));
  }
  const v1::Placement before = attention->Look().placement;
  EXPECT_EQ(ListNodes().term(), 1U);

  options.listen.listen = Address();
  router_->Drain(absl::Seconds(1));
  router_.reset();
  StartRouter(options);
  // The table that expert nodes get is what the router took over.
  for (SoundNode* const node : {first.get(), second.get()}) {
    ASSERT_TRUE(node->Await([](const auto& account) {
      return account.welcomes == 2 && account.placements == 2;
    }));
    EXPECT_TRUE(MessageDifferencer::Equals(node->Look().placement, before));
  }
  EXPECT_EQ(first->Look().loaded + second->Look().loaded, kAllExperts);
  EXPECT_EQ(first->Look().held.size() + second->Look().held.size(),
            size_t{kAllExperts});
  EXPECT_EQ(ListNodes().term(), 2U);
  EXPECT_EQ(ListNodes().active_epoch(), before.epoch());

  // It places on, under its own term.
  const auto third = JoinExpert("expert-2");
  EXPECT_TRUE(attention->AwaitPlacement(3, before.epoch()));
  EXPECT_EQ(attention->Look().placement.epoch() >> 32, 2U);
}

}  // namespace
}  // namespace mesh::router
