// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mesh::cli {

struct CertificateView {
  std::string path;
  absl::Time valid_from;
  absl::Time valid_until;
};

// When the first certificate of a PEM file is valid. Errors: kNotFound if there
// is no such file; kDataLoss if it holds no certificate.
absl::StatusOr<CertificateView> ReadCertificate(const std::string& path);

}  // namespace mesh::cli
