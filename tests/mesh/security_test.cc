// SPDX-License-Identifier: Apache-2.0
// Who gets in: a mesh with certificates, callers without, and listening where
// others can reach.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/mesh/mesh_checks.h"
#include "tests/support/child_process.h"
#include "tests/support/gateway_streams.h"
#include "tests/support/mesh_certificates.h"
#include "tests/support/process_mesh.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace mesh {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int kNotPermitted = 77;  // docs/commands.md
constexpr int kBadConfig = 78;

TEST(MeshSecurity, WithCertificatesOnlyThoseWhoHaveOneGetIn) {
  const TempDir folder;
  const std::string certificates = folder.Path("certs");
  MakeCertificates(certificates, 2, 1);
  ProcessMesh mesh({.num_expert_nodes = 2, .certificates = certificates});
  ASSERT_OK(mesh.Start());
  GatewayStreams streams(mesh.Gateway(), 8, 8);
  ExpectAllSame(streams.Finish(absl::Minutes(1)), "with certificates");
  ExpectUcxLinks(mesh);

  MeshClient plaintext({});
  for (const std::string& address :
       {mesh.RouterAddress(), mesh.GatewayAddress()}) {
    EXPECT_THAT(plaintext.CheckHealth(address, "readiness"),
                StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_THAT(plaintext.ListNodes(mesh.RouterAddress()),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST(MeshSecurity, AuthorityOfAnotherMeshIsNotTrusted) {
  const TempDir folder;
  MakeCertificates(folder.Path("ours"), 1, 1);
  MakeCertificates(folder.Path("theirs"), 1, 1);
  ProcessMesh mesh(
      {.num_expert_nodes = 1, .certificates = folder.Path("ours")});
  ASSERT_OK(mesh.Start());
  MeshClient stranger(
      {.tls = CertificatesOf(folder.Path("theirs"), "operator")});
  EXPECT_THAT(stranger.ListNodes(mesh.RouterAddress()),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST(MeshSecurity, NodeDoesNotJoinUnderAnotherNodesName) {
  const TempDir folder;
  MakeCertificates(folder.Path("certs"), 2, 1);
  ProcessMesh mesh(
      {.num_expert_nodes = 1, .certificates = folder.Path("certs")});
  ASSERT_OK(mesh.Start());
  const service::TlsOptions tls =
      CertificatesOf(folder.Path("certs"), "expert-0");
  ChildProcess impostor(
      {ProcessMesh::Program("expert-node"), "--name", "expert-1", "--router",
       mesh.RouterAddress(), "--model", ProcessMesh::ModelDir(), "--tls-ca",
       tls.ca_file, "--tls-cert", tls.cert_file, "--tls-key", tls.key_file},
      folder.Path("impostor.log"));
  EXPECT_EQ(impostor.WaitExit(absl::Seconds(20)), kNotPermitted);
  EXPECT_THAT(impostor.Log(), HasSubstr("the certificate is for"));
  EXPECT_THAT(mesh.FindNode("expert-1"), StatusIs(absl::StatusCode::kNotFound));
}

TEST(MeshSecurity, PlaintextBeyondLoopbackIsRefused) {
  const TempDir folder;
  const std::vector<std::vector<std::string>> commands = {
      {"router"},
      {"gateway", "--router", "127.0.0.1:1", "--model",
       ProcessMesh::ModelDir()},
      {"attention-node", "--router", "127.0.0.1:1", "--model",
       ProcessMesh::ModelDir()},
      {"expert-node", "--router", "127.0.0.1:1", "--model",
       ProcessMesh::ModelDir()}};
  for (const std::vector<std::string>& command : commands) {
    std::vector<std::string> arguments = command;
    arguments[0] = ProcessMesh::Program(command[0]);
    arguments.insert(arguments.end(), {"--listen", "0.0.0.0:0", "--advertise",
                                       "192.0.2.1:9400"});
    ChildProcess process(arguments, folder.Path(command[0] + ".log"));
    EXPECT_EQ(process.WaitExit(absl::Seconds(20)), kBadConfig) << command[0];
    EXPECT_THAT(process.Log(),
                AllOf(HasSubstr(command[0] + ": "), HasSubstr("--tls-cert"),
                      HasSubstr("--insecure-lab")));
  }
}

}  // namespace
}  // namespace mesh
