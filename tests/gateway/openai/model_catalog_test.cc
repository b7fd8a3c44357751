// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/model_catalog.h"

#include <gtest/gtest.h>

#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

TEST(ModelCatalog, AliasesAndPricesAreRead) {
  const auto alias = ParseModelAlias("deepseek-chat=v3:no-thinking");
  ASSERT_TRUE(alias.ok()) << alias.status();
  EXPECT_EQ(alias->alias, "deepseek-chat");
  EXPECT_EQ(alias->model, "v3");
  EXPECT_EQ(alias->thinking, false);
  EXPECT_EQ(ParseModelAlias("a=b:thinking")->thinking, true);
  EXPECT_EQ(ParseModelAlias("a=b")->thinking, std::nullopt);
  for (const char* text : {"", "a", "=b", "a=", "a=:thinking"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseModelAlias(text).status()))
        << text;
  }
  const auto prices = ParseModelPrices("v3=0.27,0.07,1.1");
  ASSERT_TRUE(prices.ok()) << prices.status();
  EXPECT_EQ(prices->model, "v3");
  EXPECT_EQ(prices->prices.prompt, 0.27);
  EXPECT_EQ(prices->prices.cached_prompt, 0.07);
  EXPECT_EQ(prices->prices.completion, 1.1);
  for (const char* text : {"", "a", "a=1", "a=1,2", "a=1,2,x", "a=1,2,-1",
                           "a=1,2,inf", "=1,2,3", "a=1,2,3,4"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseModelPrices(text).status()))
        << text;
  }
}

TEST(ModelCatalog, NamesMustMakeSense) {
  EXPECT_FALSE(ModelCatalog::Create("m", {{"a", "other", {}}}, {}).ok());
  EXPECT_FALSE(
      ModelCatalog::Create("m", {{"a", "m", {}}, {"a", "m", {}}}, {}).ok());
  EXPECT_FALSE(ModelCatalog::Create("m", {{"m", "m", {}}}, {}).ok());
  EXPECT_FALSE(ModelCatalog::Create("m", {}, {{"a", {}}}).ok());
}

TEST(ModelCatalog, FindsWhatATenantMayUse) {
  const auto catalog = ModelCatalog::Create(
      "m", {{"a", "m", true}}, {{"m", {.prompt = 1, .completion = 2}}});
  ASSERT_TRUE(catalog.ok()) << catalog.status();
  const std::shared_ptr<const Tenant> anyone = AnonymousTenant();
  const auto entry = catalog->Find("a", *anyone);
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->model, "m");
  EXPECT_EQ(entry->thinking, true);
  EXPECT_EQ(entry->prices->completion, 2);
  EXPECT_EQ(catalog->List(*anyone).size(), 2U);
  Tenant stranger;
  stranger.models = {"n"};
  EXPECT_TRUE(absl::IsNotFound(catalog->Find("a", stranger).status()));
  EXPECT_EQ(catalog->Find("a", stranger).status(), ModelNotFound("a"))
      << "as if it did not exist";
  EXPECT_TRUE(catalog->List(stranger).empty());
}

}  // namespace
}  // namespace mesh::gateway
