// SPDX-License-Identifier: Apache-2.0
#include "cli/certificate.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace mesh::cli {
namespace {

absl::Time ToTime(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTM(parts, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<CertificateView> ReadCertificate(const std::string& path) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(
      BIO_new_file(path.c_str(), "r"), &BIO_free);
  if (file == nullptr) {
    return absl::NotFoundError(
        absl::StrCat(path, ": no such file that can be read"));
  }
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), &X509_free);
  if (certificate == nullptr) {
    return absl::DataLossError(
        absl::StrCat(path, ": no certificate, expected one in PEM"));
  }
  return CertificateView{path, ToTime(X509_get0_notBefore(certificate.get())),
                         ToTime(X509_get0_notAfter(certificate.get()))};
}

}  // namespace mesh::cli
