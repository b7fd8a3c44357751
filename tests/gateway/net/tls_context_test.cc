// SPDX-License-Identifier: Apache-2.0
// Who gets through the door of a server with certificates.
#include "gateway/net/tls_context.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gateway/http/http_server.h"
#include "tests/gateway/http/http_fixture.h"
#include "tests/gateway/http/raw_client.h"
#include "tests/support/mesh_certificates.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace mesh::gateway {
namespace {

using ::testing::HasSubstr;

constexpr char kGet[] =
    "GET /ok HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

// What a client of OpenSSL is made of; a certificate is optional.
struct TlsClientOptions {
  service::TlsOptions tls = {};
  int max_version = TLS1_3_VERSION;
  std::string ciphers = {};
  std::string protocol = {};  // as ALPN has it on the wire
};

// The whole answer to `request`; empty if there is none.
std::string Exchange(const std::string& address, const std::string& request,
                     const TlsClientOptions& options = {}) {
  const RawClient client(address);
  const timeval patience = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(client.Handle(), SOL_SOCKET, SO_RCVTIMEO, &patience,
             sizeof patience);
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(
      SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_max_proto_version(context.get(), options.max_version);
  if (!options.ciphers.empty()) {
    SSL_CTX_set_cipher_list(context.get(), options.ciphers.c_str());
  }
  if (options.tls.Enabled()) {
    SSL_CTX_use_certificate_chain_file(context.get(),
                                       options.tls.cert_file.c_str());
    SSL_CTX_use_PrivateKey_file(context.get(), options.tls.key_file.c_str(),
                                SSL_FILETYPE_PEM);
  }
  if (!options.protocol.empty()) {
    SSL_CTX_set_alpn_protos(
        context.get(),
        reinterpret_cast<const unsigned char*>(options.protocol.data()),
        static_cast<unsigned>(options.protocol.size()));
  }
  const std::unique_ptr<SSL, void (*)(SSL*)> session(SSL_new(context.get()),
                                                     SSL_free);
  SSL_set_fd(session.get(), client.Handle());
  if (SSL_connect(session.get()) != 1) return "";
  SSL_write(session.get(), request.data(), static_cast<int>(request.size()));
  std::string answer;
  char bytes[4096];
  for (int size = 0;
       (size = SSL_read(session.get(), bytes, sizeof bytes)) > 0;) {
    answer.append(bytes, static_cast<size_t>(size));
  }
  SSL_shutdown(session.get());
  return answer;
}

class TlsContextTest : public HttpFixture {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempDir;
    MakeCertificates(folder_->Path(), 0, 0);
  }
  static void TearDownTestSuite() { delete folder_; }

  TlsContextTest() {
    options_.tls = CertificatesOf(folder_->Path(), "gateway");
  }

  // Of the client that has a certificate.
  static service::TlsOptions Operator() {
    return CertificatesOf(folder_->Path(), "operator");
  }

  static TempDir* folder_;
};

TempDir* TlsContextTest::folder_ = nullptr;

TEST_F(TlsContextTest, AClientNeedsNoCertificate) {
  Start();
  EXPECT_THAT(Exchange(Address(), kGet), HasSubstr("fine"));
}

TEST_F(TlsContextTest, ACertificateMustBeOurs) {
  Start();
  TempDir other;
  MakeCertificates(other.Path(), 0, 0);
  EXPECT_EQ(Exchange(Address(), kGet,
                     {.tls = CertificatesOf(other.Path(), "operator")}),
            "");
  EXPECT_THAT(Exchange(Address(), kGet, {.tls = Operator()}),
              HasSubstr("fine"));
}

TEST_F(TlsContextTest, ACertificateMayBeRequired) {
  options_.require_client_certificate = true;
  Start();
  EXPECT_EQ(Exchange(Address(), kGet), "");
  EXPECT_THAT(Exchange(Address(), kGet, {.tls = Operator()}),
              HasSubstr("fine"));
}

TEST_F(TlsContextTest, OldVersionsGetAnAlert) {
  Start();
  EXPECT_THAT(Exchange(Address(), kGet, {.max_version = TLS1_2_VERSION}),
              HasSubstr("fine"));
  EXPECT_EQ(Exchange(Address(), kGet, {.max_version = TLS1_1_VERSION}), "");
}

TEST_F(TlsContextTest, NoSharedCipherGetsAnAlert) {
  Start();
  EXPECT_EQ(Exchange(Address(), kGet,
                     {.max_version = TLS1_2_VERSION, .ciphers = "AES128-SHA"}),
            "");
}

TEST_F(TlsContextTest, TheProtocolIsNegotiated) {
  Start();
  EXPECT_THAT(Exchange(Address(), kGet, {.protocol = "\x02h2\x08http/1.1"}),
              HasSubstr("fine"));
  EXPECT_EQ(Exchange(Address(), kGet, {.protocol = "\x02h2"}), "");
}

TEST_F(TlsContextTest, PlaintextIsClosed) {
  Start();
  RememberDescriptors();
  RawClient client(Address());
  client.Send(kGet);
  EXPECT_TRUE(client.IsClosed());
  EXPECT_THAT(Exchange(Address(), kGet), HasSubstr("fine"));
}

TEST_F(TlsContextTest, ASilentHandshakeEnds) {
  options_.tls_handshake_timeout = absl::Milliseconds(50);
  Start();
  RawClient client(Address());
  EXPECT_TRUE(client.IsClosed());
  EXPECT_TRUE(Eventually([&] { return server_->NumConnections() == 0; }));
}

TEST_F(TlsContextTest, LargeAnswersAndDisconnects) {
  Start();
  const std::string body(1 << 20, 'b');
  const std::string request = absl::StrCat(
      "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
      "Content-Length: ",
      body.size(), "\r\n\r\n", body);
  EXPECT_THAT(Exchange(Address(), request), HasSubstr(body));
  EXPECT_TRUE(Eventually([&] { return server_->NumConnections() == 0; }));
}

TEST_F(TlsContextTest, TheKeyMustFit) {
  options_.tls.key_file = Operator().key_file;
  const auto server = HttpServer::Start(options_, handler_, clock_);
  EXPECT_THAT(server.status(), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("not the key of")));
}

}  // namespace
}  // namespace mesh::gateway
