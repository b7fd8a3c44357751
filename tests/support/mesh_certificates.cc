// SPDX-License-Identifier: Apache-2.0
#include "tests/support/mesh_certificates.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/check.h"
#include "tests/support/child_process.h"

namespace mesh {
namespace {

void MakeCertificate(const std::string& folder, const std::string& role,
                     const std::string& name) {
  ChildProcess certs({MESH_SOURCE_DIR "/deploy/certs", folder, role, name},
                     folder + ".log");
  MESH_CHECK(certs.WaitExit(absl::Minutes(1)) == 0);
}

}  // namespace

void MakeCertificates(const std::string& folder, int num_expert_nodes,
                      int num_attention_nodes) {
  MakeCertificate(folder, "router", "router");
  MakeCertificate(folder, "gateway", "gateway");
  MakeCertificate(folder, "operator", "operator");
  for (int i = 0; i < num_expert_nodes; ++i) {
    MakeCertificate(folder, "expert-node", absl::StrCat("expert-", i));
  }
  for (int i = 0; i < num_attention_nodes; ++i) {
    MakeCertificate(folder, "attention-node", absl::StrCat("attention-", i));
  }
}

service::TlsOptions CertificatesOf(const std::string& folder,
                                   const std::string& name) {
  if (folder.empty()) return {};
  return {.ca_file = folder + "/ca.crt",
          .cert_file = absl::StrCat(folder, "/", name, ".crt"),
          .key_file = absl::StrCat(folder, "/", name, ".key")};
}

}  // namespace mesh
