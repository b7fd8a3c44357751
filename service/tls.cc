// SPDX-License-Identifier: Apache-2.0
#include "service/tls.h"

#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace mesh::service {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  ASSIGN_OR_RETURN(std::string pem, ReadFile(path, kMaxPemBytes));
  if (!absl::StrContains(pem, "-----BEGIN ")) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": not a PEM file; deploy/certs makes them"));
  }
  return pem;
}

absl::Status CheckKeyMode(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return absl::ErrnoToStatus(errno, path);
  if ((info.st_mode & (S_IROTH | S_IWOTH)) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": everybody may read this private key; run chmod o-rwx on it"));
}

}  // namespace

absl::StatusOr<TlsPem> ReadTls(const TlsOptions& tls) {
  if (tls.ca_file.empty() || tls.cert_file.empty() || tls.key_file.empty()) {
    return absl::InvalidArgumentError(
        "--tls-ca, --tls-cert and --tls-key go together; give all three or "
        "none");
  }
  TlsPem pem;
  ASSIGN_OR_RETURN(pem.ca, ReadPem(tls.ca_file));
  ASSIGN_OR_RETURN(pem.cert, ReadPem(tls.cert_file));
  ASSIGN_OR_RETURN(pem.key, ReadPem(tls.key_file));
  RETURN_IF_ERROR(CheckKeyMode(tls.key_file));
  return pem;
}

absl::Status CheckTls(const TlsOptions& tls) {
  const bool none =
      tls.ca_file.empty() && tls.cert_file.empty() && tls.key_file.empty();
  if (none) return absl::OkStatus();
  return ReadTls(tls).status();
}

}  // namespace mesh::service
