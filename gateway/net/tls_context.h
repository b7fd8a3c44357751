// SPDX-License-Identifier: Apache-2.0
#pragma once

// clang-format off: Boost 1.74 needs it before Asio
#include <utility>
// clang-format on

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "service/tls.h"

namespace mesh::gateway {

struct TlsContextOptions {
  service::TlsOptions tls;
  // True: a client without a certificate of our authority gets an alert. False:
  // it needs none, but one that it shows must be good.
  bool require_client_certificate = false;
  // The protocol of the port as ALPN names it, "http/1.1" or "h2". A client
  // that offers only others gets an alert; one that offers none passes.
  std::string protocol;
};

// What the streams of one port share: TLS 1.2 and later, no renegotiation, no
// compression, no early data. REQUIRES: options.tls.Enabled(). Errors: those of
// service::ReadTls; kInvalidArgument if certificate and key do not match.
absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> MakeTlsContext(
    const TlsContextOptions& options);

}  // namespace mesh::gateway
