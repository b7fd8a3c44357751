// SPDX-License-Identifier: Apache-2.0
#include "service/listen_options.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "service/host_port.h"

namespace mesh::service {
namespace {

constexpr char kUnixPrefix[] = "unix:";

absl::Status CheckReach(const std::string& address, absl::string_view flag,
                        const ListenOptions& options) {
  if (IsLoopback(address) || options.tls.Enabled() || options.insecure_lab) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      flag, " ", address, ": beyond loopback certificates are needed ",
      "(--tls-ca, --tls-cert, --tls-key; deploy/certs makes them); in a "
      "closed ",
      "lab --insecure-lab goes without"));
}

}  // namespace

absl::Status CheckListen(const ListenOptions& options) {
  if (!options.metrics_listen.empty()) {
    RETURN_IF_ERROR(ParseHostPort(options.metrics_listen).status());
    RETURN_IF_ERROR(
        CheckReach(options.metrics_listen, "--metrics-listen", options));
  }
  if (absl::StartsWith(options.listen, kUnixPrefix)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const HostPort listen, ParseHostPort(options.listen));
  if (!options.advertise.empty()) {
    RETURN_IF_ERROR(ParseHostPort(options.advertise).status());
  } else if (IsWildcard(listen)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen ", options.listen,
                     ": nobody can connect to that; say with --advertise ",
                     "which address of this machine others use"));
  }
  return CheckReach(options.listen, "--listen", options);
}

absl::StatusOr<std::string> AdvertisedAddress(const ListenOptions& options,
                                              const std::string& address) {
  if (options.advertise.empty()) return address;
  ASSIGN_OR_RETURN(const HostPort advertise, ParseHostPort(options.advertise));
  if (advertise.port != 0) return options.advertise;
  ASSIGN_OR_RETURN(const HostPort taken, ParseHostPort(address));
  return HostPort{advertise.host, taken.port}.ToString();
}

bool IsLoopback(const std::string& address) {
  if (absl::StartsWith(address, kUnixPrefix)) return true;
  const absl::StatusOr<HostPort> parsed = ParseHostPort(address);
  if (!parsed.ok()) return false;
  const std::string& host = parsed->host;
  if (host == "localhost" || host == "::1") return true;
  // A name that begins so, "127.0.0.1.example.org", is not an address.
  return absl::StartsWith(host, "127.") &&
         host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace mesh::service
