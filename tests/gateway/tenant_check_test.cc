// SPDX-License-Identifier: Apache-2.0
#include "gateway/tenant_check.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

class TenantCheck : public ::testing::Test {
 protected:
  TenantCheck()
      : model_(*LoadServedModel(
            absl::StrCat(MESH_SOURCE_DIR, "/models/tiny-r1/"), "")) {
    tenant_.name = "tester";
    input_.prompt = std::vector<TokenId>{5, 6, 7};
    input_.max_tokens = 10;
  }

  absl::Status Check() {
    return CheckTenantInput(input_, tenant_, model_, 100, 42).status();
  }

  const ServedModel model_;
  Tenant tenant_;
  GenerateInput input_;
};

TEST_F(TenantCheck, WithoutLimitsAllIsAllowed) {
  input_.model = "tiny-r1";
  input_.logprobs = 1;
  EXPECT_TRUE(Check().ok());
}

TEST_F(TenantCheck, CacheSaltIsOfTheTenant) {
  const auto salt = [&] {
    return CheckTenantInput(input_, tenant_, model_, 100, 42)->cache_salt;
  };
  const std::string own = salt();
  EXPECT_EQ(salt(), own);
  input_.cache_salt.assign(1, 's');
  EXPECT_NE(salt(), own);
  input_.cache_salt.clear();
  tenant_.name = "another";
  EXPECT_NE(salt(), own);
  input_.cache_salt.assign(257, 's');
  EXPECT_EQ(DetailsOf(Check()).param, "cache_salt");
}

TEST_F(TenantCheck, AnotherTenantsModelDoesNotExist) {
  tenant_.models = {"other"};
  EXPECT_EQ(Check().code(), absl::StatusCode::kNotFound);
  input_.model = "tiny-r1";
  EXPECT_EQ(Check(), ModelNotFound("tiny-r1"));
  input_.model = "other";
  EXPECT_EQ(Check(), ModelNotFound("other"));
}

TEST_F(TenantCheck, LimitsOfTheTenantHold) {
  tenant_.max_context = 12;
  EXPECT_EQ(DetailsOf(Check()).code, "context_length_exceeded");
  tenant_.max_context = 13;
  EXPECT_TRUE(Check().ok());
  tenant_.allow_logprobs = false;
  input_.logprobs = 1;
  EXPECT_EQ(Check().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(TenantCheck, PriorityIsBoundedByTheClass) {
  tenant_.priority_class = PriorityClass::kLow;
  input_.priority = 7;
  const absl::Status refused = Check();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(DetailsOf(refused).param, "priority");
  tenant_.priority_class = PriorityClass::kHigh;
  EXPECT_TRUE(Check().ok());
}

}  // namespace
}  // namespace mesh::gateway
