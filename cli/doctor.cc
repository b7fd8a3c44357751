// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <sys/resource.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/certificate.h"
#include "cli/diagnosis.h"
#include "cli/gateway_client.h"
#include "cli/node_client.h"
#include "cli/router_client.h"
#include "core/status_macros.h"
#include "service/process_stats.h"

namespace mesh::cli {
namespace {

constexpr absl::Duration kConnectLimit = absl::Seconds(5);

void AskNodes(const DoctorOptions& options, Console& console, Facts* facts) {
  for (const NodeView& node : facts->mesh.nodes) {
    if (node.health == NodeHealth::kGone) continue;
    console.Status(absl::StrCat("asking ", node.name));
    const MeshTarget target = {node.grpc_address, options.router.channel};
    if (node.role == "expert-node") {
      facts->expert_nodes[node.name] = AskExpertNode(target);
    } else if (node.role == "attention-node") {
      facts->attention_nodes[node.name] = AskAttentionNode(target);
    }
  }
  console.Status("");
}

absl::StatusOr<ServedModel> AskGateway(const MeshTarget& target) {
  ASSIGN_OR_RETURN(const auto gateway,
                   GatewayClient::Connect(target, kConnectLimit));
  return gateway->Model();
}

void LookAtMachine(const service::TlsOptions& tls, Facts* facts) {
  if (tls.Enabled()) {
    facts->certificates.push_back(ReadCertificate(tls.ca_file));
    facts->certificates.push_back(ReadCertificate(tls.cert_file));
  }
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    facts->max_descriptors = limit.rlim_max;
  }
  facts->available_memory_bytes = service::AvailableMemoryBytes();
}

}  // namespace

absl::Status RunDoctor(const DoctorOptions& options, Console& console) {
  ASSIGN_OR_RETURN(const auto router,
                   RouterClient::Connect(options.router, kConnectLimit));
  Facts facts;
  facts.now = absl::Now();
  ASSIGN_OR_RETURN(facts.mesh, router->GetState(/*with_load=*/false));
  if (facts.mesh.active_epoch != 0) {
    ASSIGN_OR_RETURN(facts.placement, router->GetPlacement());
  }
  AskNodes(options, console, &facts);
  facts.gateway = AskGateway(
      {options.gateway_address, options.router.channel, options.api_key_file});
  LookAtMachine(options.router.channel.tls, &facts);

  console.Answer(FactsText(facts));
  const std::vector<Finding> findings = Diagnose(facts);
  if (findings.empty()) {
    console.Answer("nothing is wrong\n");
    return absl::OkStatus();
  }
  for (const Finding& finding : findings) {
    console.Answer(absl::StrCat("\nwrong: ", finding.wrong,
                                "\n   do: ", finding.remedy, "\n"));
  }
  return absl::UnavailableError(
      absl::StrCat("the mesh has ", findings.size(), " ",
                   findings.size() == 1 ? "fault" : "faults"));
}

}  // namespace mesh::cli
