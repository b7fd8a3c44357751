// SPDX-License-Identifier: Apache-2.0
#include "cli/diagnosis.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/text_table.h"

namespace mesh::cli {
namespace {

constexpr double kLateHeartbeatSeconds = 2;
// A round trip on a sound network takes well under a millisecond; a mesh at
// work adds its steps' time to it.
constexpr double kSlowRoundTripUs = 50'000;
constexpr absl::Duration kCertificateMargin = absl::Hours(24 * 14);
constexpr uint64_t kFewDescriptors = 4096;
constexpr uint64_t kLittleMemoryBytes = uint64_t{256} << 20;

using Findings = std::vector<Finding>;

void CheckRoles(const MeshState& mesh, Findings* findings) {
  for (const char* role : {"gateway", "attention-node", "expert-node"}) {
    const bool found =
        std::any_of(mesh.nodes.begin(), mesh.nodes.end(), [&](const auto& n) {
          return n.role == role && n.health != NodeHealth::kGone;
        });
    if (found) continue;
    findings->push_back({absl::StrCat("no ", role, " has joined"),
                         absl::StrCat("start one: ", role, " --router ",
                                      mesh.router_address, " --model DIR")});
  }
  if (mesh.active_epoch == 0) {
    findings->push_back(
        {"no placement is active, so no request can be answered",
         mesh.activity.empty()
             ? "start enough expert nodes to hold every expert"
             : absl::StrCat("the router says: ", mesh.activity)});
  }
}

void CheckNode(const MeshState& mesh, const NodeView& node,
               Findings* findings) {
  if (node.health == NodeHealth::kGone) {
    findings->push_back({absl::StrCat(node.name, " is gone"),
                         "read the end of its log, and start it again"});
    return;
  }
  if (node.health == NodeHealth::kLoading) {
    findings->push_back({absl::StrCat(node.name, " is not ready: ",
                                      node.activity.empty() ? "it says nothing"
                                                            : node.activity),
                         "wait, and read its log if that lasts"});
  }
  if (node.heartbeat_age_seconds > kLateHeartbeatSeconds) {
    findings->push_back(
        {absl::StrFormat("%s was last heard of %.1f s ago", node.name,
                         node.heartbeat_age_seconds),
         "check that its machine is not overloaded and reaches the router"});
  }
  if (node.version != mesh.router_version) {
    findings->push_back({absl::StrCat(node.name, " runs version ", node.version,
                                      ", the router ", mesh.router_version),
                         "install the same version on all machines"});
  }
  if (node.role == "attention-node" &&
      node.adopted_epoch != mesh.active_epoch) {
    findings->push_back(
        {absl::StrCat(node.name, " uses placement ",
                      EpochText(node.adopted_epoch), ", active is ",
                      EpochText(mesh.active_epoch)),
         "run doctor again; if it lasts, read the node's log"});
  }
}

void CheckReached(const std::string& name, const absl::Status& outcome,
                  Findings* findings) {
  if (outcome.ok()) return;
  findings->push_back(
      {absl::StrCat(name, " does not answer: ", outcome.message()),
       "check that its address can be reached from here, and read its log"});
}

void CheckHoldings(const Facts& facts, Findings* findings) {
  // Who holds an expert, and with which weights.
  absl::btree_map<ExpertName, std::pair<std::string, std::string>> first;
  for (const auto& [name, reply] : facts.expert_nodes) {
    for (const auto& [expert, digest] : reply.digests) {
      const auto [held, is_first] =
          first.try_emplace(expert, std::make_pair(name, digest));
      if (is_first || held->second.second == digest) continue;
      findings->push_back(
          {absl::StrCat(name, " and ", held->second.first,
                        " hold different weights of ", expert.ToString()),
           "give both the same model folder and start them again"});
      break;
    }
  }
  for (const auto& [name, experts] : facts.placement.experts) {
    const auto reply = facts.expert_nodes.find(name);
    if (reply == facts.expert_nodes.end() || !reply->second.outcome.ok()) {
      continue;
    }
    int num_missing = 0;
    std::string example;
    for (const ExpertName& expert : experts) {
      if (reply->second.digests.contains(expert)) continue;
      if (num_missing++ == 0) example = expert.ToString();
    }
    if (num_missing == 0) continue;
    findings->push_back(
        {absl::StrCat(name, " lacks ", num_missing,
                      " of the experts that the placement gives it, such as ",
                      example),
         "wait while it loads; if it does not, start it again"});
  }
}

void CheckLinks(const Facts& facts, Findings* findings) {
  for (const auto& [name, reply] : facts.attention_nodes) {
    for (const LinkProbeView& probe : reply.probes) {
      const std::string link = absl::StrCat(name, " to ", probe.to);
      if (!probe.error.empty()) {
        findings->push_back(
            {absl::StrCat("the link from ", link, " is broken: ", probe.error),
             "check that the expert node runs, and that both use the same "
             "--transport and a --device that reaches the other"});
      } else if (probe.median_us > kSlowRoundTripUs) {
        findings->push_back(
            {absl::StrFormat("the link from %s is slow: %.1f ms a round trip",
                             link, probe.median_us / 1000),
             "check the load of both machines and the network between them"});
      }
    }
  }
}

void CheckGateway(const Facts& facts, Findings* findings) {
  if (!facts.gateway.ok()) {
    findings->push_back({std::string(facts.gateway.status().message()),
                         "name the right one with --gateway"});
    return;
  }
  if (facts.gateway->digest != facts.mesh.model_digest) {
    findings->push_back(
        {"the gateway serves another model than the nodes compute",
         "give all processes the same model folder"});
  }
  if (facts.gateway->numerics != facts.mesh.numerics) {
    findings->push_back(
        {absl::StrCat("the gateway counts on numerics ",
                      facts.gateway->numerics, ", the nodes compute ",
                      facts.mesh.numerics),
         "start it again"});
  }
}

void CheckCertificates(const Facts& facts, Findings* findings) {
  for (const auto& certificate : facts.certificates) {
    if (!certificate.ok()) {
      findings->push_back({std::string(certificate.status().message()),
                           "make certificates with deploy/certs"});
      continue;
    }
    const std::string day = absl::FormatTime(
        "%Y-%m-%d", certificate->valid_until, absl::UTCTimeZone());
    if (certificate->valid_until < facts.now) {
      findings->push_back({absl::StrCat(certificate->path, " ran out on ", day),
                           "make new certificates with deploy/certs"});
    } else if (certificate->valid_until < facts.now + kCertificateMargin) {
      findings->push_back(
          {absl::StrCat(certificate->path, " runs out on ", day),
           "make new certificates with deploy/certs before that"});
    } else if (certificate->valid_from > facts.now) {
      findings->push_back({absl::StrCat(certificate->path, " is not valid yet"),
                           "set this machine's clock"});
    }
  }
}

void CheckMachine(const Facts& facts, Findings* findings) {
  if (facts.max_descriptors < kFewDescriptors) {
    findings->push_back(
        {absl::StrCat("a process here may open ", facts.max_descriptors,
                      " descriptors only"),
         absl::StrCat("raise the hard limit (ulimit -Hn) to ", kFewDescriptors,
                      " or more")});
  }
  if (facts.available_memory_bytes < kLittleMemoryBytes) {
    findings->push_back({absl::StrCat("this machine has ",
                                      BytesText(static_cast<double>(
                                          facts.available_memory_bytes)),
                                      " of memory left"),
                         "stop what is not needed, or move a node elsewhere"});
  }
}

}  // namespace

std::vector<Finding> Diagnose(const Facts& facts) {
  Findings findings;
  CheckRoles(facts.mesh, &findings);
  for (const NodeView& node : facts.mesh.nodes) {
    CheckNode(facts.mesh, node, &findings);
  }
  for (const auto& [name, reply] : facts.expert_nodes) {
    CheckReached(name, reply.outcome, &findings);
  }
  for (const auto& [name, reply] : facts.attention_nodes) {
    CheckReached(name, reply.outcome, &findings);
  }
  CheckHoldings(facts, &findings);
  CheckLinks(facts, &findings);
  CheckGateway(facts, &findings);
  CheckCertificates(facts, &findings);
  CheckMachine(facts, &findings);
  return findings;
}

std::string FactsText(const Facts& facts) {
  std::vector<std::vector<std::string>> nodes = {
      {"NODE", "ADDRESS", "ANSWERS", "VERSION", "HELD", "CORRUPT", "REFUSED"}};
  for (const NodeView& node : facts.mesh.nodes) {
    if (node.health == NodeHealth::kGone) continue;
    std::vector<std::string> row = {node.name, node.grpc_address, "-",
                                    node.version};
    if (const auto expert = facts.expert_nodes.find(node.name);
        expert != facts.expert_nodes.end()) {
      const ExpertNodeReply& reply = expert->second;
      row[2] = reply.outcome.ok() ? "yes" : "no";
      row.push_back(absl::StrCat(reply.digests.size()));
      row.push_back(absl::StrCat(reply.frames_corrupt));
      row.push_back(absl::StrCat(reply.hellos_rejected));
    }
    if (const auto attention = facts.attention_nodes.find(node.name);
        attention != facts.attention_nodes.end()) {
      row[2] = attention->second.outcome.ok() ? "yes" : "no";
    }
    nodes.push_back(std::move(row));
  }
  std::vector<std::vector<std::string>> links = {
      {"LINK FROM", "TO", "LANE", "MEDIAN", "P99", "BANDWIDTH"}};
  for (const auto& [name, reply] : facts.attention_nodes) {
    for (const LinkProbeView& probe : reply.probes) {
      links.push_back({name, probe.to, probe.lane,
                       absl::StrFormat("%.0f us", probe.median_us),
                       absl::StrFormat("%.0f us", probe.p99_us),
                       absl::StrCat(BytesText(probe.bytes_per_second), "/s")});
    }
  }
  return absl::StrCat(
      "model ", facts.mesh.model_digest, "  numerics ", facts.mesh.numerics,
      "  router ", facts.mesh.router_version, " at ", facts.mesh.router_address,
      "\n", TextTable(nodes, {4, 5, 6}), "\n", TextTable(links, {3, 4, 5}),
      "\nhere: ", facts.max_descriptors, " descriptors, ",
      BytesText(static_cast<double>(facts.available_memory_bytes)),
      " of memory left\n");
}

}  // namespace mesh::cli
