// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/tls.h"

namespace mesh::service {

// Where a process listens, and how it trusts others.
struct ListenOptions {
  std::string listen = "127.0.0.1:0";  // gRPC, host:port; port 0: any free one
  // What others are told to connect to; empty: the listening address.
  std::string advertise = {};
  std::string metrics_listen = {};  // host:port of /metrics; empty: none
  TlsOptions tls = {};
  // Allows plaintext beyond loopback.
  bool insecure_lab = false;
};

// Errors: kInvalidArgument for a malformed address, or for one beyond loopback
// without TLS and without insecure_lab; says what to do.
absl::Status CheckListen(const ListenOptions& options);

// What others are told to connect to where `address` is listened on, host:port:
// a port of 0 to advertise is the one that was taken. Errors: kInvalidArgument.
absl::StatusOr<std::string> AdvertisedAddress(const ListenOptions& options,
                                              const std::string& address);

// True for 127.0.0.0/8, ::1, localhost and unix: addresses.
bool IsLoopback(const std::string& address);

}  // namespace mesh::service
