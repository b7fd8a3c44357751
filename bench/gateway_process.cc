// SPDX-License-Identifier: Apache-2.0
#include "bench/gateway_process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "core/check.h"
#include "service/logger.h"

namespace mesh::bench {
namespace {

constexpr int kMany = 100000;

// What the parent may set, as one line.
std::string ToLine(const gateway::GatewayServer::Options& options) {
  std::vector<std::string> nodes;
  for (const gateway::KnownNode& node : options.attention_nodes) {
    nodes.push_back(absl::StrCat(node.name, "=", node.address));
  }
  return absl::StrCat(absl::StrJoin(nodes, ","), ";", options.api_keys, ";",
                      options.api_pepper, ";", options.max_requests, "\n");
}

gateway::GatewayServer::Options FromLine(const std::string& line) {
  const std::vector<std::string> fields = absl::StrSplit(line, ';');
  MESH_CHECK(fields.size() == 4);
  gateway::GatewayServer::Options options = OpenGatewayOptions();
  for (const absl::string_view node : absl::StrSplit(fields[0], ',')) {
    const std::vector<std::string> parts = absl::StrSplit(node, '=');
    options.attention_nodes.push_back({parts[0], parts[1]});
  }
  options.api_keys = fields[1];
  options.api_pepper = fields[2];
  MESH_CHECK(absl::SimpleAtoi(fields[3], &options.max_requests));
  return options;
}

std::string ReadLine(int file) {
  std::string line;
  char c = 0;
  while (read(file, &c, 1) == 1 && c != '\n') line.push_back(c);
  return line;
}

void WriteAll(int file, const void* bytes, size_t num_bytes) {
  MESH_CHECK(write(file, bytes, num_bytes) == static_cast<ssize_t>(num_bytes));
}

}  // namespace

gateway::GatewayServer::Options OpenGatewayOptions() {
  gateway::GatewayServer::Options options;
  options.model_dir = std::string(MESH_SOURCE_DIR) + "/models/tiny-r1";
  options.http_listen = "127.0.0.1:0";
  options.max_connections = kMany;
  options.max_connections_per_address = kMany;
  options.max_new_connections_per_address = kMany;
  // Others share the machine.
  options.heartbeat_timeout = absl::Seconds(10);
  return options;
}

GatewayProcess::GatewayProcess() {
  int down[2];
  int up[2];
  MESH_CHECK(pipe(down) == 0 && pipe(up) == 0);
  pid_ = fork();
  MESH_CHECK(pid_ >= 0);
  if (pid_ == 0) {
    close(down[1]);
    close(up[0]);
    Run(down[0], up[1]);
  }
  close(down[0]);
  close(up[1]);
  to_child_ = down[1];
  from_child_ = up[0];
}

GatewayProcess::~GatewayProcess() {
  close(to_child_);
  close(from_child_);
  waitpid(pid_, nullptr, 0);
}

void GatewayProcess::Start(const gateway::GatewayServer::Options& options) {
  const std::string line = ToLine(options);
  WriteAll(to_child_, line.data(), line.size());
  const std::string address = ReadLine(from_child_);
  if (!absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &http_port_)) {
    std::exit(1);  // the child has said why
  }
}

service::ProcessStats GatewayProcess::Stats() const {
  WriteAll(to_child_, "\n", 1);
  service::ProcessStats stats;
  MESH_CHECK(read(from_child_, &stats, sizeof(stats)) == sizeof(stats));
  return stats;
}

void GatewayProcess::Run(int in, int out) {
  const std::string line = ReadLine(in);
  if (line.empty()) _exit(0);
  const auto limit = service::RaiseDescriptorLimit(1024);
  const auto logger = service::Logger::Create("error", "gateway", "gateway-0");
  MESH_CHECK(limit.ok() && logger.ok());
  const gateway::GatewayServer::Options options = FromLine(line);
  auto server = gateway::GatewayServer::Start(options, **logger);
  if (!server.ok()) {
    std::fprintf(stderr, "gateway: %s\n", server.status().ToString().c_str());
    _exit(1);
  }
  const int num_nodes = static_cast<int>(options.attention_nodes.size());
  while ((*server)->NumAttentionNodes() < num_nodes) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  // For the next tick to see their capacity.
  absl::SleepFor(absl::Milliseconds(300));
  const std::string address = (*server)->HttpAddress() + "\n";
  WriteAll(out, address.data(), address.size());
  char c = 0;
  while (read(in, &c, 1) == 1) {
    const service::ProcessStats stats = service::ReadProcessStats();
    WriteAll(out, &stats, sizeof(stats));
  }
  server->reset();
  _exit(0);
}

}  // namespace mesh::bench
