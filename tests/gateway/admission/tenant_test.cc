// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/tenant.h"

#include <gtest/gtest.h>

#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

TEST(Tenant, AnonymousMayDoEverything) {
  const auto tenant = AnonymousTenant();
  EXPECT_TRUE(CheckScope(*tenant, {.model = "any",
                                   .num_tokens = 1 << 20,
                                   .wants_logprobs = true})
                  .ok());
  EXPECT_EQ(AllowedPriority(tenant->priority_class, 7), 7);
}

TEST(Tenant, ModelsOutsideItsScopeLookAsIfTheyWereNotThere) {
  Tenant tenant;
  tenant.models = {"small"};
  EXPECT_TRUE(CheckScope(tenant, {.model = "small"}).ok());
  const absl::Status refused = CheckScope(tenant, {.model = "large"});
  EXPECT_EQ(refused.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DetailsOf(refused).code, "model_not_found");
  EXPECT_EQ(refused, ModelNotFound("large"));
}

TEST(Tenant, ModelNamesInErrorsAreEscapedAndCut) {
  const std::string message(ModelNotFound("a\r\nb").message());
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_LT(ModelNotFound(std::string(100000, 'x')).message().size(), 300u);
}

TEST(Tenant, ContextAndLogprobs) {
  Tenant tenant;
  tenant.max_context = 100;
  tenant.allow_logprobs = false;
  EXPECT_TRUE(CheckScope(tenant, {.model = "m", .num_tokens = 100}).ok());
  EXPECT_EQ(
      DetailsOf(CheckScope(tenant, {.model = "m", .num_tokens = 101})).code,
      "context_length_exceeded");
  const absl::Status refused =
      CheckScope(tenant, {.model = "m", .wants_logprobs = true});
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(DetailsOf(refused).code, "insufficient_scope");
}

TEST(Tenant, PriorityStaysWithinTheClass) {
  EXPECT_EQ(AllowedPriority(PriorityClass::kLow, 7), 1);
  EXPECT_EQ(AllowedPriority(PriorityClass::kNormal, 7), 4);
  EXPECT_EQ(AllowedPriority(PriorityClass::kNormal, 2), 2);
  EXPECT_LT(WeightOf(PriorityClass::kLow), WeightOf(PriorityClass::kNormal));
  EXPECT_LT(WeightOf(PriorityClass::kNormal), WeightOf(PriorityClass::kHigh));
}

}  // namespace
}  // namespace mesh::gateway
