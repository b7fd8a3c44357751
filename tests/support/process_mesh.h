// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/support/child_process.h"
#include "tests/support/mesh_client.h"
#include "tests/support/temp_dir.h"

namespace mesh {

// A mesh of real processes on loopback, on ports that the kernel picks: router,
// gateway, attention-0..., expert-0.... They end with the object; their logs
// and counters are printed if the test has failed. Used on one thread.
class ProcessMesh {
 public:
  struct Options {
    int num_expert_nodes = 1;
    int num_attention_nodes = 1;
    int num_replicas = 1;
    int num_threads = 1;  // of each computing process; 0: as the node chooses
    // Folder of certificates from deploy/certs; empty: plaintext.
    std::string certificates = {};
    // More flags by role: "router", "expert-node", "attention-node", "gateway".
    std::map<std::string, std::vector<std::string>> flags = {};
  };

  explicit ProcessMesh(Options options);
  ~ProcessMesh();

  // Starts all and waits until the mesh answers requests. Errors: what is
  // missing after a minute, or which process has ended.
  absl::Status Start();

  // One more, "expert-N" with the next number; returns its name. Does not wait.
  std::string AddExpertNode();
  // A node of that name anew, after it has ended.
  void StartExpertNode(const std::string& name);
  void StartAttentionNode(const std::string& name);
  // At the address that it had.
  void StartRouter();

  // SIGKILL; returns when the process is gone.
  void Kill(const std::string& name);
  // SIGTERM; the exit code, or nothing after `limit`.
  std::optional<int> Terminate(const std::string& name, absl::Duration limit);
  void Freeze(const std::string& name);  // SIGSTOP
  void Thaw(const std::string& name);    // SIGCONT

  ChildProcess& Process(const std::string& name) {
    return *processes_.at(name);
  }
  // Of the processes that were started and not killed or terminated.
  std::vector<std::string> Names() const;
  std::vector<std::string> AttentionNames() const;
  std::vector<std::string> ExpertNames() const;

  MeshClient& Client() { return client_; }
  const std::string& RouterAddress() const { return router_address_; }
  const std::string& GatewayAddress() const { return gateway_address_; }
  std::shared_ptr<grpc::Channel> Gateway() {
    return client_.Channel(gateway_address_);
  }

  absl::StatusOr<router::v1::ListNodesResponse> ListNodes() {
    return client_.ListNodes(router_address_);
  }
  // Errors: kNotFound.
  absl::StatusOr<router::v1::NodeState> FindNode(const std::string& name);
  absl::StatusOr<attention::v1::GetStatsResponse> AttentionStats(
      const std::string& name);
  absl::StatusOr<attention::v1::ProbeExpertNodesResponse> ProbeLinks(
      const std::string& name);
  absl::StatusOr<expert::v1::GetStatsResponse> ExpertStats(
      const std::string& name);

  // Asks again and again; the last error if it is not OK within `limit`, or at
  // once if a process ends that was not told to.
  absl::Status WaitUntil(absl::Duration limit,
                         const std::function<absl::Status()>& condition);
  // OK if every process of Names() but the router is READY at the router, and
  // all attention nodes have adopted the active placement, in which just the
  // expert nodes of ExpertNames() have experts.
  absl::Status CheckSettled();
  // Until the router takes the node for gone.
  absl::Status WaitGone(const std::string& name,
                        absl::Duration limit = absl::Seconds(20));
  // CheckSettled() within `limit`.
  absl::Status WaitSettled(absl::Duration limit = absl::Seconds(60));

  // The program of a role, as built.
  static std::string Program(const std::string& role);
  static std::string ModelDir();

 private:
  std::vector<std::string> Arguments(const std::string& role,
                                     const std::string& name) const;
  void StartNode(const std::string& role, const std::string& name);
  // Of a process that has just started, from its log.
  absl::StatusOr<std::string> ListeningAddress(const std::string& name);
  // Of a node, from the router.
  absl::StatusOr<std::string> AddressOf(const std::string& name);
  absl::Status CheckAlive();
  absl::Status CheckNode(const router::v1::NodeState& node, uint64_t epoch);
  std::vector<std::string> NamesWith(const std::string& prefix) const;
  void PrintLogs() const;
  void PrintStats();

  const Options options_;
  const TempDir folder_;
  MeshClient client_;
  std::map<std::string, std::unique_ptr<ChildProcess>> processes_;
  std::map<std::string, std::string> addresses_;  // by name, once known
  std::string router_address_;
  std::string gateway_address_;
  int next_expert_ = 0;
};

}  // namespace mesh
