// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/tenant_registry.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/status_macros.h"
#include "gateway/admission/api_key.h"
#include "gateway/admission/tenant_file.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

constexpr absl::string_view kScheme = "Bearer ";
// What a key that is none is compared with: an id that no file holds.
constexpr absl::string_view kNoSecret =
    "0000000000000000000000000000000000000000000";

absl::Status MissingKey() {
  return ApiError(absl::StatusCode::kUnauthenticated,
                  "no API key; send 'Authorization: Bearer sk-mesh-...'",
                  {.code = "missing_api_key", .http_status = 401});
}

// Empty: there is none.
absl::string_view BearerToken(absl::string_view authorization) {
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) return {};
  // Not other white space: it belongs to a key that is wrong.
  authorization.remove_prefix(kScheme.size());
  while (absl::ConsumePrefix(&authorization, " ")) {
  }
  while (absl::ConsumeSuffix(&authorization, " ")) {
  }
  return authorization;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TenantRegistry>> TenantRegistry::Create(
    const Options& options, const service::Logger& logger, const Clock& clock) {
  if (options.keys_file.empty() != options.pepper_file.empty()) {
    return absl::InvalidArgumentError(
        "a file of API keys and one of their pepper go together; give both or "
        "none");
  }
  std::unique_ptr<TenantRegistry> registry(
      new TenantRegistry(options, logger, clock));
  if (!registry->HasKeys()) return registry;
  const Versions versions = registry->ReadVersions();
  ASSIGN_OR_RETURN(auto keys, registry->ReadKeys());
  MutexLock lock(registry->mutex_);
  registry->keys_ = std::move(keys);
  registry->versions_ = versions;
  return registry;
}

TenantRegistry::TenantRegistry(const Options& options,
                               const service::Logger& logger,
                               const Clock& clock)
    : options_(options),
      logger_(logger),
      clock_(clock),
      failures_(options.failures_per_minute, options.max_addresses, clock),
      next_check_(clock.Now() + options.check_interval) {}

absl::StatusOr<std::shared_ptr<const Tenant>> TenantRegistry::Authenticate(
    const std::vector<absl::string_view>& authorization,
    absl::string_view peer) {
  for (const absl::string_view value : authorization) {
    if (value == authorization.front()) continue;
    return ApiError(absl::StatusCode::kInvalidArgument,
                    "two different Authorization headers; send one",
                    {.code = "duplicate_header", .http_status = 400});
  }
  if (!HasKeys()) return anonymous_;
  const absl::string_view token = authorization.empty()
                                      ? absl::string_view()
                                      : BearerToken(authorization.front());
  if (token.empty()) return MissingKey();
  std::shared_ptr<const Keys> keys;
  {
    MutexLock lock(mutex_);
    keys = keys_;
  }
  // The same work for each key, whatever is wrong with it.
  const std::optional<ApiKey> key = ParseApiKey(token);
  const TenantTable::Entry* entry =
      key.has_value() ? keys->table.Find(key->id) : nullptr;
  const SecretHash hash =
      HashSecret(keys->pepper, key.has_value() ? key->secret : kNoSecret);
  const SecretHash expected = entry != nullptr ? entry->hash : SecretHash{};
  if (SameHash(hash, expected) && entry != nullptr) return entry->tenant;
  return RefuseKey(peer);
}

absl::Status TenantRegistry::RefuseKey(absl::string_view peer) {
  const absl::Duration wait = failures_.Count(peer);
  if (wait == absl::ZeroDuration()) {
    return ApiError(absl::StatusCode::kUnauthenticated,
                    "the API key is not valid; check it, or ask for another",
                    {.code = "invalid_api_key", .http_status = 401});
  }
  return ApiError(
      absl::StatusCode::kResourceExhausted,
      "too many wrong API keys from this address; wait, and check "
      "the key",
      {.code = "rate_limit_exceeded", .retry_after = wait, .http_status = 429});
}

void TenantRegistry::Tick() {
  if (!HasKeys()) return;
  {
    const absl::Time now = clock_.Now();
    MutexLock lock(mutex_);
    if (now < next_check_) return;
    next_check_ = now + options_.check_interval;
  }
  const Versions versions = ReadVersions();
  {
    MutexLock lock(mutex_);
    if (versions == versions_) return;
    versions_ = versions;
  }
  absl::StatusOr<std::shared_ptr<const Keys>> keys = ReadKeys();
  if (!keys.ok()) {
    logger_.Error("keys_not_reloaded",
                  {{"reason", std::string(keys.status().message())}});
    return;
  }
  logger_.Info("keys_reloaded",
               {{"keys", static_cast<uint64_t>((*keys)->table.NumKeys())}});
  MutexLock lock(mutex_);
  keys_ = *std::move(keys);
}

TenantRegistry::FileVersion TenantRegistry::VersionOf(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return {};
  return {info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec,
          info.st_size};
}

TenantRegistry::Versions TenantRegistry::ReadVersions() const {
  return {VersionOf(options_.keys_file), VersionOf(options_.pepper_file)};
}

absl::StatusOr<std::shared_ptr<const TenantRegistry::Keys>>
TenantRegistry::ReadKeys() const {
  auto keys = std::make_shared<Keys>();
  ASSIGN_OR_RETURN(keys->pepper, ReadPepper(options_.pepper_file));
  ASSIGN_OR_RETURN(keys->table, ReadTenantFile(options_.keys_file));
  return keys;
}

std::vector<absl::string_view> AuthorizationOf(const HttpHeaders& headers) {
  std::vector<absl::string_view> values;
  for (const auto& [name, value] : headers) {
    if (absl::EqualsIgnoreCase(name, "authorization")) values.push_back(value);
  }
  return values;
}

}  // namespace mesh::gateway
