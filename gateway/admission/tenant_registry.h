// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "gateway/admission/failure_limiter.h"
#include "gateway/admission/tenant.h"
#include "gateway/admission/tenant_table.h"
#include "gateway/http/http_message.h"
#include "service/logger.h"

namespace mesh::gateway {

// Who a request is from, by its API key. Thread-safe.
class TenantRegistry {
 public:
  struct Options {
    std::string keys_file;    // as tenant_file.h says; empty: no keys
    std::string pepper_file;  // with keys_file
    absl::Duration check_interval = absl::Seconds(1);
    double failures_per_minute = 20;  // of one address
    size_t max_addresses = 10000;     // whose failures are counted
  };

  // `logger` and `clock` outlive it. Errors: those of the two files.
  static absl::StatusOr<std::unique_ptr<TenantRegistry>> Create(
      const Options& options, const service::Logger& logger,
      const Clock& clock);

  // `authorization`: the values of all headers of that name. `peer`: address of
  // the client, without the port. Without keys everybody is the anonymous
  // tenant. Errors, each with its code and HTTP status: kUnauthenticated,
  // missing_api_key or invalid_api_key; kInvalidArgument, duplicate_header;
  // kResourceExhausted, rate_limit_exceeded for too many wrong keys.
  absl::StatusOr<std::shared_ptr<const Tenant>> Authenticate(
      const std::vector<absl::string_view>& authorization,
      absl::string_view peer);

  // Reads the files again if one of them has changed. What is wrong with them
  // is logged, and what was read before stays.
  void Tick();

  bool HasKeys() const { return !options_.keys_file.empty(); }

 private:
  // What is known of a file without reading it.
  struct FileVersion {
    int64_t modified_ns = 0;
    int64_t num_bytes = -1;
    friend bool operator==(const FileVersion&, const FileVersion&) = default;
  };
  struct Versions {
    FileVersion keys;
    FileVersion pepper;
    friend bool operator==(const Versions&, const Versions&) = default;
  };
  struct Keys {
    std::string pepper;
    TenantTable table;
  };

  TenantRegistry(const Options& options, const service::Logger& logger,
                 const Clock& clock);

  static FileVersion VersionOf(const std::string& path);
  Versions ReadVersions() const;
  absl::StatusOr<std::shared_ptr<const Keys>> ReadKeys() const;
  absl::Status RefuseKey(absl::string_view peer);

  const Options options_;
  const service::Logger& logger_;
  const Clock& clock_;
  const std::shared_ptr<const Tenant> anonymous_ = AnonymousTenant();
  FailureLimiter failures_;

  mutable Mutex mutex_;
  std::shared_ptr<const Keys> keys_ ABSL_GUARDED_BY(mutex_);
  Versions versions_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_check_ ABSL_GUARDED_BY(mutex_);
};

// The values of all Authorization headers; they live as long as `headers`.
std::vector<absl::string_view> AuthorizationOf(const HttpHeaders& headers);

}  // namespace mesh::gateway
