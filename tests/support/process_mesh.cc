// SPDX-License-Identifier: Apache-2.0
#include "tests/support/process_mesh.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "tests/support/mesh_certificates.h"

namespace mesh {
namespace {

constexpr absl::Duration kStartLimit = absl::Minutes(1);
constexpr size_t kPrintedLogBytes = 3000;

std::string RoleOf(const std::string& name) {
  if (absl::StartsWith(name, "expert-")) return "expert-node";
  if (absl::StartsWith(name, "attention-")) return "attention-node";
  return name;
}

absl::Status NotYet(const std::string& what) {
  return absl::UnavailableError(what);
}

}  // namespace

std::string ProcessMesh::Program(const std::string& role) {
  return absl::StrCat(MESH_BINARY_DIR "/bin/", role);
}

std::string ProcessMesh::ModelDir() {
  return MESH_SOURCE_DIR "/models/tiny-r1";
}

ProcessMesh::ProcessMesh(Options options)
    : options_(std::move(options)),
      client_({.tls = CertificatesOf(options_.certificates, "operator")}) {}

ProcessMesh::~ProcessMesh() {
  if (!testing::Test::HasFailure()) return;
  PrintLogs();
  PrintStats();
}

absl::Status ProcessMesh::Start() {
  StartNode("router", "router");
  ASSIGN_OR_RETURN(router_address_, ListeningAddress("router"));
  for (int i = 0; i < options_.num_expert_nodes; ++i) AddExpertNode();
  for (int i = 0; i < options_.num_attention_nodes; ++i) {
    StartAttentionNode(absl::StrCat("attention-", i));
  }
  StartNode("gateway", "gateway");
  ASSIGN_OR_RETURN(gateway_address_, ListeningAddress("gateway"));
  RETURN_IF_ERROR(WaitSettled(kStartLimit));
  return WaitUntil(kStartLimit, [this] {
    return client_.CheckHealth(gateway_address_, "readiness");
  });
}

std::vector<std::string> ProcessMesh::Arguments(const std::string& role,
                                                const std::string& name) const {
  // The router comes back where it was: the others know that address.
  const bool again = role == "router" && !router_address_.empty();
  std::vector<std::string> arguments = {Program(role),
                                        "--name",
                                        name,
                                        "--listen",
                                        again ? router_address_ : "127.0.0.1:0",
                                        "--metrics-listen",
                                        "127.0.0.1:0"};
  const auto add = [&arguments](const std::string& flag,
                                const std::string& value) {
    arguments.push_back(flag);
    arguments.push_back(value);
  };
  if (role == "router") {
    add("--state-dir", folder_.Path());
    add("--replicas", absl::StrCat(options_.num_replicas));
    add("--min-expert-nodes", absl::StrCat(options_.num_expert_nodes));
  } else {
    add("--router", router_address_);
    add("--model", ModelDir());
  }
  if (role == "expert-node" || role == "attention-node") {
    if (options_.num_threads > 0) {
      add("--threads", absl::StrCat(options_.num_threads));
    }
    // Seldom much is needed, and all of it is touched at the start.
    if (role == "attention-node") add("--kv-memory", "64");
  }
  if (!options_.certificates.empty()) {
    const service::TlsOptions tls = CertificatesOf(options_.certificates, name);
    add("--tls-ca", tls.ca_file);
    add("--tls-cert", tls.cert_file);
    add("--tls-key", tls.key_file);
  }
  const auto more = options_.flags.find(role);
  if (more != options_.flags.end()) {
    arguments.insert(arguments.end(), more->second.begin(), more->second.end());
  }
  return arguments;
}

void ProcessMesh::StartNode(const std::string& role, const std::string& name) {
  addresses_.erase(name);
  // An earlier process of the name wrote to a file of its own.
  std::string log = folder_.Path(name + ".log");
  for (int i = 2; std::filesystem::exists(log); ++i) {
    log = folder_.Path(absl::StrCat(name, ".", i, ".log"));
  }
  processes_[name] = nullptr;  // the old one first
  processes_[name] =
      std::make_unique<ChildProcess>(Arguments(role, name), std::move(log));
}

std::string ProcessMesh::AddExpertNode() {
  std::string name = absl::StrCat("expert-", next_expert_++);
  StartExpertNode(name);
  return name;
}

void ProcessMesh::StartExpertNode(const std::string& name) {
  StartNode("expert-node", name);
}

void ProcessMesh::StartAttentionNode(const std::string& name) {
  StartNode("attention-node", name);
}

void ProcessMesh::StartRouter() { StartNode("router", "router"); }

void ProcessMesh::Kill(const std::string& name) {
  ChildProcess& process = Process(name);
  process.Signal(SIGKILL);
  MESH_CHECK(process.WaitExit(absl::Seconds(10)).has_value());
  processes_.erase(name);
}

std::optional<int> ProcessMesh::Terminate(const std::string& name,
                                          absl::Duration limit) {
  ChildProcess& process = Process(name);
  process.Signal(SIGTERM);
  const std::optional<int> code = process.WaitExit(limit);
  if (code.has_value()) processes_.erase(name);
  return code;
}

void ProcessMesh::Freeze(const std::string& name) {
  Process(name).Signal(SIGSTOP);
}

void ProcessMesh::Thaw(const std::string& name) {
  Process(name).Signal(SIGCONT);
}

std::vector<std::string> ProcessMesh::Names() const { return NamesWith(""); }

std::vector<std::string> ProcessMesh::AttentionNames() const {
  return NamesWith("attention-");
}

std::vector<std::string> ProcessMesh::ExpertNames() const {
  return NamesWith("expert-");
}

std::vector<std::string> ProcessMesh::NamesWith(
    const std::string& prefix) const {
  std::vector<std::string> names;
  for (const auto& [name, process] : processes_) {
    if (absl::StartsWith(name, prefix)) names.push_back(name);
  }
  return names;
}

absl::StatusOr<router::v1::NodeState> ProcessMesh::FindNode(
    const std::string& name) {
  ASSIGN_OR_RETURN(const router::v1::ListNodesResponse nodes, ListNodes());
  for (const router::v1::NodeState& node : nodes.nodes()) {
    if (node.node().name() == name) return node;
  }
  return absl::NotFoundError(name + " is not known to the router");
}

absl::StatusOr<std::string> ProcessMesh::AddressOf(const std::string& name) {
  std::string& address = addresses_[name];
  if (address.empty()) {
    ASSIGN_OR_RETURN(const router::v1::NodeState node, FindNode(name));
    address = node.node().grpc_address();
  }
  return address;
}

absl::StatusOr<attention::v1::GetStatsResponse> ProcessMesh::AttentionStats(
    const std::string& name) {
  ASSIGN_OR_RETURN(const std::string address, AddressOf(name));
  return client_.AttentionStats(address);
}

absl::StatusOr<attention::v1::ProbeExpertNodesResponse> ProcessMesh::ProbeLinks(
    const std::string& name) {
  ASSIGN_OR_RETURN(const std::string address, AddressOf(name));
  return client_.ProbeExpertNodes(address);
}

absl::StatusOr<expert::v1::GetStatsResponse> ProcessMesh::ExpertStats(
    const std::string& name) {
  ASSIGN_OR_RETURN(const std::string address, AddressOf(name));
  return client_.ExpertStats(address);
}

absl::StatusOr<std::string> ProcessMesh::ListeningAddress(
    const std::string& name) {
  std::string address;
  RETURN_IF_ERROR(WaitUntil(kStartLimit, [&] {
    for (const Json& event : Process(name).LogEvents()) {
      if (event.contains("address") && event["address"].is_string()) {
        address = event["address"].get<std::string>();
        return absl::OkStatus();
      }
    }
    return NotYet(name + " has not logged its address");
  }));
  return address;
}

absl::Status ProcessMesh::CheckAlive() {
  for (const auto& [name, process] : processes_) {
    if (!process->Running()) {
      return absl::AbortedError(
          absl::StrCat(name, " has ended by itself with code ",
                       process->WaitExit(absl::ZeroDuration()).value_or(-1),
                       ": ", process->Log().substr(0, kPrintedLogBytes)));
    }
  }
  return absl::OkStatus();
}

absl::Status ProcessMesh::WaitUntil(
    absl::Duration limit, const std::function<absl::Status()>& condition) {
  const absl::Time deadline = absl::Now() + limit;
  while (true) {
    RETURN_IF_ERROR(CheckAlive());
    absl::Status status = condition();
    if (status.ok() || absl::Now() >= deadline) return status;
    absl::SleepFor(absl::Milliseconds(20));
  }
}

absl::Status ProcessMesh::CheckNode(const router::v1::NodeState& node,
                                    uint64_t epoch) {
  const std::string& name = node.node().name();
  const bool ours = processes_.contains(name);
  if (!ours) {
    return node.experts_placed() == 0
               ? absl::OkStatus()
               : NotYet(name + " is gone but still has experts");
  }
  if (node.health() != router::v1::NODE_HEALTH_READY) {
    return NotYet(absl::StrCat(name, " has health ", node.health(), ": ",
                               node.status().activity()));
  }
  if (RoleOf(name) == "attention-node" && node.adopted_epoch() != epoch) {
    return NotYet(absl::StrCat(name, " has adopted ", node.adopted_epoch(),
                               " of ", epoch));
  }
  if (RoleOf(name) == "expert-node" && node.experts_placed() == 0) {
    return NotYet(name + " has no experts");
  }
  return absl::OkStatus();
}

absl::Status ProcessMesh::CheckSettled() {
  ASSIGN_OR_RETURN(const router::v1::ListNodesResponse nodes, ListNodes());
  if (!nodes.activity().empty()) return NotYet(nodes.activity());
  if (nodes.active_epoch() == 0) return NotYet("there is no placement");
  std::map<std::string, bool> missing;
  for (const std::string& name : Names()) missing[name] = name != "router";
  for (const router::v1::NodeState& node : nodes.nodes()) {
    RETURN_IF_ERROR(CheckNode(node, nodes.active_epoch()));
    missing[node.node().name()] = false;
  }
  for (const auto& [name, is_missing] : missing) {
    if (is_missing) return NotYet(name + " is not known to the router");
  }
  return absl::OkStatus();
}

absl::Status ProcessMesh::WaitGone(const std::string& name,
                                   absl::Duration limit) {
  return WaitUntil(limit, [this, &name] {
    const auto node = FindNode(name);
    if (absl::IsNotFound(node.status())) return absl::OkStatus();
    if (!node.ok()) return node.status();
    return node->health() == router::v1::NODE_HEALTH_GONE
               ? absl::OkStatus()
               : NotYet(absl::StrCat(name, " has health ", node->health()));
  });
}

absl::Status ProcessMesh::WaitSettled(absl::Duration limit) {
  return WaitUntil(limit, [this] { return CheckSettled(); });
}

void ProcessMesh::PrintStats() {
  for (const std::string& name : AttentionNames()) {
    const auto stats = AttentionStats(name);
    std::fprintf(stderr, "--- %s: %s\n", name.c_str(),
                 stats.ok() ? stats->ShortDebugString().c_str()
                            : stats.status().ToString().c_str());
  }
  for (const std::string& name : ExpertNames()) {
    const auto stats = ExpertStats(name);
    std::fprintf(stderr, "--- %s: %s\n", name.c_str(),
                 stats.ok() ? stats->ShortDebugString().c_str()
                            : stats.status().ToString().c_str());
  }
}

void ProcessMesh::PrintLogs() const {
  for (const auto& file : std::filesystem::directory_iterator(folder_.Path())) {
    if (file.path().extension() != ".log") continue;
    std::ifstream stream(file.path());
    const std::string log((std::istreambuf_iterator<char>(stream)),
                          std::istreambuf_iterator<char>());
    const size_t from =
        log.size() > kPrintedLogBytes ? log.size() - kPrintedLogBytes : 0;
    std::fprintf(stderr, "--- end of %s\n%s\n", file.path().filename().c_str(),
                 log.substr(from).c_str());
  }
}

}  // namespace mesh
