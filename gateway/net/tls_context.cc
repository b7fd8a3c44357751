// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/tls_context.h"

#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/status_macros.h"

namespace mesh::gateway {
namespace {

namespace asio = boost::asio;
namespace ssl = asio::ssl;
using boost::system::error_code;

// Picks `protocol` if the client offers it.
int SelectProtocol(SSL* /*session*/, const unsigned char** chosen,
                   unsigned char* chosen_size, const unsigned char* offered,
                   unsigned int offered_size, void* arg) {
  const auto& protocol = *static_cast<const std::string*>(arg);
  for (unsigned int i = 0; i < offered_size; i += 1U + offered[i]) {
    const unsigned int size = offered[i];
    if (i + 1 + size > offered_size) break;
    const absl::string_view name(reinterpret_cast<const char*>(offered) + i + 1,
                                 size);
    if (name != protocol) continue;
    *chosen = offered + i + 1;
    *chosen_size = offered[i];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The context and what OpenSSL borrows of it.
struct OwningContext {
  ssl::context context{ssl::context::tls_server};
  std::string protocol;
};

absl::Status Harden(ssl::context& context) {
  SSL_CTX* raw = context.native_handle();
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_NO_TICKET);
  // Thousands of connections that wait need no buffers.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  constexpr char kSuites[] =
      "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!eNULL:!MD5:!SHA1";
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(raw, kSuites) != 1 ||
      SSL_CTX_set_num_tickets(raw, 0) != 1 ||
      SSL_CTX_set_max_early_data(raw, 0) != 1) {
    return absl::InternalError("OpenSSL lacks TLS 1.2; update it");
  }
  return absl::OkStatus();
}

absl::Status UseCertificates(ssl::context& context,
                             const TlsContextOptions& options) {
  ASSIGN_OR_RETURN(const service::TlsPem pem, service::ReadTls(options.tls));
  error_code error;
  context.use_certificate_chain(asio::buffer(pem.cert), error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.tls.cert_file, ": not a certificate"));
  }
  context.use_private_key(asio::buffer(pem.key), ssl::context::pem, error);
  if (error || SSL_CTX_check_private_key(context.native_handle()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.tls.key_file, ": not the key of ", options.tls.cert_file));
  }
  context.add_certificate_authority(asio::buffer(pem.ca), error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.tls.ca_file, ": not a certificate"));
  }
  const int mode = options.require_client_certificate
                       ? ssl::verify_peer | ssl::verify_fail_if_no_peer_cert
                       : ssl::verify_peer;
  context.set_verify_mode(mode, error);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<ssl::context>> MakeTlsContext(
    const TlsContextOptions& options) {
  auto owner = std::make_shared<OwningContext>();
  owner->protocol = options.protocol;
  RETURN_IF_ERROR(Harden(owner->context));
  RETURN_IF_ERROR(UseCertificates(owner->context, options));
  SSL_CTX_set_alpn_select_cb(owner->context.native_handle(), SelectProtocol,
                             &owner->protocol);
  return std::shared_ptr<ssl::context>(owner, &owner->context);
}

}  // namespace mesh::gateway
