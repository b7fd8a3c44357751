// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/tenant_registry.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gateway/admission/api_key.h"
#include "gateway/admission/tenant_file.h"
#include "gateway/api_error.h"
#include "tests/support/temp_dir.h"

namespace mesh::gateway {
namespace {

constexpr char kPepper[] = "a pepper of some length";
constexpr char kPeer[] = "192.0.2.1";

ApiKey KeyOf(char digit) {
  return {std::string(12, digit), std::string(43, digit)};
}

std::string KeyLine(const ApiKey& key) {
  return absl::StrCat("{id: ", key.id,
                      ", hash: ", ToHex(HashSecret(kPepper, key.secret)), "}");
}

class TenantRegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    WriteKeys(absl::StrCat("tenants:\n  - name: acme\n    keys: [",
                           KeyLine(KeyOf('1')), ", ", KeyLine(KeyOf('2')),
                           "]\n"));
    std::ofstream(pepper_) << kPepper << "\n";
    ASSERT_EQ(chmod(pepper_.c_str(), 0600), 0);
  }

  void WriteKeys(const std::string& text) { std::ofstream(keys_) << text; }

  absl::StatusOr<std::unique_ptr<TenantRegistry>> Create() {
    return TenantRegistry::Create({.keys_file = keys_, .pepper_file = pepper_},
                                  *logger_, clock_);
  }

  static absl::StatusOr<std::shared_ptr<const Tenant>> Ask(
      TenantRegistry& registry, const std::string& authorization,
      const std::string& peer = kPeer) {
    return registry.Authenticate({authorization}, peer);
  }

  void TickLater(TenantRegistry& registry) {
    clock_.Advance(absl::Seconds(2));
    registry.Tick();
  }

  const TempDir dir_;
  const std::string keys_ = dir_.Path("keys.yaml");
  const std::string pepper_ = dir_.Path("pepper");
  FakeClock clock_;
  const std::unique_ptr<service::Logger> logger_ =
      service::Logger::Create("error", "gateway", "g").value();
};

TEST_F(TenantRegistryTest, EachKeyOfATenantIsGood) {
  const auto registry = Create();
  ASSERT_TRUE(registry.ok()) << registry.status();
  for (const char digit : {'1', '2'}) {
    const auto tenant = Ask(**registry, "Bearer " + KeyOf(digit).Text());
    ASSERT_TRUE(tenant.ok()) << tenant.status();
    EXPECT_EQ((*tenant)->name, "acme");
  }
  EXPECT_TRUE(Ask(**registry, "bearer   " + KeyOf('1').Text() + " ").ok());
}

TEST_F(TenantRegistryTest, WithoutAKeyThereIsNoTenant) {
  const auto registry = Create().value();
  const std::string key = KeyOf('1').Text();
  EXPECT_EQ(DetailsOf(registry->Authenticate({}, kPeer).status()).code,
            "missing_api_key");
  for (const std::string& value :
       {std::string(), std::string("Bearer"), std::string("Bearer "),
        std::string("Bearer    "), "Basic " + key, key}) {
    const absl::Status refused = Ask(*registry, value).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated) << value;
    EXPECT_EQ(DetailsOf(refused).code, "missing_api_key") << value;
    EXPECT_EQ(DetailsOf(refused).http_status, 401) << value;
  }
}

TEST_F(TenantRegistryTest, WrongKeysLookTheSame) {
  const auto registry = Create().value();
  ApiKey wrong_secret = KeyOf('1');
  wrong_secret.secret[42] = '2';
  const absl::Status expected =
      Ask(*registry, "Bearer " + wrong_secret.Text(), "a").status();
  EXPECT_EQ(expected.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(DetailsOf(expected).code, "invalid_api_key");
  for (const std::string& key :
       {KeyOf('3').Text(), std::string("x"), std::string("a\0b", 3),
        std::string("sk-mesh-\n"), std::string("\xff\xfe"),
        std::string(100000, 'k')}) {
    EXPECT_EQ(Ask(*registry, "Bearer " + key, "b").status(), expected);
  }
}

TEST_F(TenantRegistryTest, TwoDifferentHeadersAreRefused) {
  const auto registry = Create().value();
  const std::string one = "Bearer " + KeyOf('1').Text();
  const std::string two = "Bearer " + KeyOf('2').Text();
  EXPECT_TRUE(registry->Authenticate({one, one}, kPeer).ok());
  const absl::Status refused =
      registry->Authenticate({one, two}, kPeer).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(DetailsOf(refused).code, "duplicate_header");
}

TEST_F(TenantRegistryTest, WrongKeysOfAnAddressAreLimitedGoodOnesAreNot) {
  const auto registry = Create().value();
  const std::string wrong = "Bearer " + KeyOf('9').Text();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Ask(*registry, wrong).status().code(),
              absl::StatusCode::kUnauthenticated);
  }
  for (int i = 0; i < 980; ++i) {
    const absl::Status refused = Ask(*registry, wrong).status();
    ASSERT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(DetailsOf(refused).http_status, 429);
    EXPECT_EQ(DetailsOf(refused).retry_after, absl::Seconds(3));
  }
  EXPECT_EQ(Ask(*registry, wrong, "192.0.2.2").status().code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(Ask(*registry, "Bearer " + KeyOf('1').Text()).ok());
  clock_.Advance(absl::Seconds(3));
  EXPECT_EQ(Ask(*registry, wrong).status().code(),
            absl::StatusCode::kUnauthenticated);
}

TEST_F(TenantRegistryTest, ChangedFilesAreReadAgain) {
  const auto registry = Create().value();
  WriteKeys(absl::StrCat("tenants:\n  - name: other\n    concurrency: 3\n",
                         "    keys: [", KeyLine(KeyOf('4')), "]\n"));
  TickLater(*registry);
  EXPECT_FALSE(Ask(*registry, "Bearer " + KeyOf('1').Text()).ok());
  const auto tenant = Ask(*registry, "Bearer " + KeyOf('4').Text());
  ASSERT_TRUE(tenant.ok());
  EXPECT_EQ((*tenant)->name, "other");
  EXPECT_EQ((*tenant)->concurrency, 3);
}

TEST_F(TenantRegistryTest, ABadFileChangesNothing) {
  const auto registry = Create().value();
  WriteKeys("tenants: 3\n");
  TickLater(*registry);
  EXPECT_TRUE(Ask(*registry, "Bearer " + KeyOf('1').Text()).ok());
  ASSERT_EQ(unlink(pepper_.c_str()), 0);
  TickLater(*registry);
  EXPECT_TRUE(Ask(*registry, "Bearer " + KeyOf('1').Text()).ok());
}

TEST_F(TenantRegistryTest, WithoutAFileEverybodyIsAnonymous) {
  const auto registry = TenantRegistry::Create({}, *logger_, clock_).value();
  EXPECT_FALSE(registry->HasKeys());
  EXPECT_EQ(registry->Authenticate({}, kPeer).value()->name, "anonymous");
  EXPECT_EQ(Ask(*registry, "Bearer whatever").value()->name, "anonymous");
  registry->Tick();
}

TEST_F(TenantRegistryTest, FilesAreCheckedAtTheStart) {
  EXPECT_FALSE(TenantRegistry::Create({.keys_file = keys_, .pepper_file = ""},
                                      *logger_, clock_)
                   .ok());
  WriteKeys("tenants: 3\n");
  EXPECT_EQ(Create().status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(unlink(keys_.c_str()), 0);
  EXPECT_EQ(Create().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TenantRegistryTest, TheFileSaysEverything) {
  WriteKeys(absl::StrCat(R"(
tenants:
  - name: acme
    keys:
      - )",
                         KeyLine(KeyOf('1')), R"(
    models: [a, b]
    max_context: 4096
    requests_per_minute: 60
    tokens_per_minute: 10000
    concurrency: 8
    priority: high
    logprobs: false
)"));
  const auto table = ReadTenantFile(keys_);
  ASSERT_TRUE(table.ok()) << table.status();
  const TenantTable::Entry* entry = table->Find(KeyOf('1').id);
  ASSERT_NE(entry, nullptr);
  const Tenant& tenant = *entry->tenant;
  EXPECT_EQ(tenant.models, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(tenant.max_context, 4096);
  EXPECT_EQ(tenant.requests_per_minute, 60);
  EXPECT_EQ(tenant.tokens_per_minute, 10000);
  EXPECT_EQ(tenant.concurrency, 8);
  EXPECT_EQ(tenant.priority_class, PriorityClass::kHigh);
  EXPECT_FALSE(tenant.allow_logprobs);
}

TEST_F(TenantRegistryTest, MistakesInTheFileAreNamedWithTheirLine) {
  const std::string keys = absl::StrCat("keys: [", KeyLine(KeyOf('1')), "]");
  const std::pair<std::string, std::string> cases[] = {
      {"", "expected one document"},
      {"tenants: 3", "expected a list"},
      {"tenants: []\ntenants: []", "twice"},
      {"users: []", "no such key"},
      {"tenants: [3]", "key: value"},
      {"tenants: [{KEYS}]", "without a name"},
      {"tenants: [{name: a}]", "without keys"},
      {"tenants: [{name: a b, KEYS}]", "expected a name"},
      {"tenants: [{name: a, KEYS, tier: 1}]", "tier: no such key"},
      {"tenants: [{name: a, KEYS, concurrency: 0}]", "expected a number"},
      {"tenants: [{name: a, KEYS, concurrency: x}]", "expected a number"},
      {"tenants: [{name: a, KEYS, priority: urgent}]", "low, normal or high"},
      {"tenants: [{name: a, KEYS, logprobs: 1}]", "true or false"},
      {"tenants: [{name: a, KEYS, models: []}]", "list of models"},
      {"tenants: [{name: a, keys: [{id: x, hash: y}]}]", "12 letters"},
      {"tenants: [{name: a, keys: [1, 2, 3]}]", "at most 2"},
      {"tenants: [{name: a, KEYS}, {name: a, KEYS}]", "a: stands here twice"},
      {"tenants: [{name: a, KEYS}, {name: b, KEYS}]", "key 1"},
      {"tenants: [", "line 1"},
      {"a: 1\n---\nb: 2", "expected one document"},
      {"\xff\xfe", ""},
  };
  for (const auto& [text, problem] : cases) {
    WriteKeys(absl::StrReplaceAll(text, {{"KEYS", keys}}));
    const absl::Status status = ReadTenantFile(keys_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.message().find(problem), absl::string_view::npos)
        << text << ": " << status;
  }
}

TEST(AuthorizationOf, FindsAllInAnyCase) {
  EXPECT_EQ(
      AuthorizationOf(
          {{"authorization", "a"}, {"Accept", "b"}, {"AUTHORIZATION", "c"}}),
      (std::vector<absl::string_view>{"a", "c"}));
}

}  // namespace
}  // namespace mesh::gateway
