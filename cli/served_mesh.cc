// SPDX-License-Identifier: Apache-2.0
#include "cli/served_mesh.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/bundled_model.h"
#include "core/num_threads.h"
#include "core/status_macros.h"
#include "service/flags.h"
#include "service/role.h"

namespace mesh::cli {
namespace {

// How deploy/up lays out ports above its base; metrics are above each.
constexpr int kRouterOffset = 1;
constexpr int kHttpOffset = 2;  // of the gateway's
constexpr int kAttentionOffset = 10;
constexpr int kExpertOffset = 100;
constexpr int kMetricsOffset = 1000;

// Lets the role's own flags read the role's section of the file.
template <typename Server>
absl::Status ReadSection(const std::string& path, service::Role role,
                         typename Server::Options* options) {
  if (path.empty()) return absl::OkStatus();
  const std::string section(service::RoleName(role));
  service::Flags flags("expertmesh serve", section, "");
  Server::AddFlags(flags, options);
  std::string log_level;  // for all roles a flag of `serve`
  flags.Add("log-level", &log_level, "");
  return flags.ReadFile(path);
}

// Where the n-th node of a role listens, unless the file says it.
void ListenAt(int base, int offset, service::ListenOptions* listen) {
  if (base == 0) return;
  if (listen->listen == service::ListenOptions().listen) {
    listen->listen = absl::StrCat("127.0.0.1:", base + offset);
  }
  if (listen->metrics_listen.empty()) {
    listen->metrics_listen =
        absl::StrCat("127.0.0.1:", base + offset + kMetricsOffset);
  }
}

// Threads of each of `num_nodes` nodes that share this machine.
int ShareOfThreads(int num_nodes) {
  return std::max(1, NumThreads(0) / num_nodes);
}

}  // namespace

absl::StatusOr<ServedMesh::Roles> ServedMesh::ReadRoles(
    const Options& options) {
  Roles roles;
  roles.router.num_replicas = 1;
  roles.router.outlived_by_nodes = false;
  roles.router.min_expert_nodes = options.num_experts;
  for (std::string* model :
       {&roles.expert.model_dir, &roles.attention.model_dir,
        &roles.gateway.model_dir}) {
    *model = kBundledModel;
  }
  roles.expert.num_threads = ShareOfThreads(options.num_experts);
  roles.attention.num_threads = ShareOfThreads(options.num_attention);
  roles.expert.data_plane.transport = "in-process";
  roles.attention.data_plane.transport = "in-process";

  const std::string& path = options.config_path;
  RETURN_IF_ERROR(ReadSection<router::RouterServer>(
      path, service::Role::kRouter, &roles.router));
  RETURN_IF_ERROR(ReadSection<expert::ExpertServer>(
      path, service::Role::kExpert, &roles.expert));
  RETURN_IF_ERROR(ReadSection<attention::AttentionServer>(
      path, service::Role::kAttention, &roles.attention));
  RETURN_IF_ERROR(ReadSection<gateway::GatewayServer>(
      path, service::Role::kGateway, &roles.gateway));

  if (options.model_dir.has_value()) {
    roles.expert.model_dir = *options.model_dir;
    roles.attention.model_dir = *options.model_dir;
    roles.gateway.model_dir = *options.model_dir;
  }
  if (options.num_replicas) roles.router.num_replicas = *options.num_replicas;
  if (options.num_threads) {
    roles.expert.num_threads = *options.num_threads;
    roles.attention.num_threads = *options.num_threads;
  }
  if (options.transport.has_value()) {
    roles.expert.data_plane.transport = *options.transport;
    roles.attention.data_plane.transport = *options.transport;
  }
  return roles;
}

absl::StatusOr<std::unique_ptr<ServedMesh>> ServedMesh::Start(
    const Options& options,
    std::function<void(const absl::Status&)> on_failure) {
  ASSIGN_OR_RETURN(Roles roles, ReadRoles(options));
  roles.expert.on_failure = on_failure;
  roles.attention.on_failure = std::move(on_failure);
  std::unique_ptr<ServedMesh> mesh(new ServedMesh());
  RETURN_IF_ERROR(mesh->StartRouter(options, roles));
  RETURN_IF_ERROR(mesh->StartExperts(options, roles));
  RETURN_IF_ERROR(mesh->StartAttention(options, roles));
  RETURN_IF_ERROR(mesh->StartGateway(options, roles));
  return mesh;
}

absl::StatusOr<const service::Logger*> ServedMesh::AddLogger(
    const Options& options, const std::string& role, const std::string& name) {
  ASSIGN_OR_RETURN(auto logger,
                   service::Logger::Create(options.log_level, role, name));
  loggers_.push_back(std::move(logger));
  return loggers_.back().get();
}

absl::Status ServedMesh::StartRouter(const Options& options, Roles& roles) {
  roles.router.name = "router-0";
  ListenAt(options.port, kRouterOffset, &roles.router.listen);
  ASSIGN_OR_RETURN(const service::Logger* logger,
                   AddLogger(options, "router", roles.router.name));
  ASSIGN_OR_RETURN(router_, router::RouterServer::Start(roles.router, *logger));
  roles.expert.router_address = router_->Address();
  roles.attention.router_address = router_->Address();
  roles.gateway.router_address = router_->Address();
  return absl::OkStatus();
}

absl::Status ServedMesh::StartExperts(const Options& options, Roles& roles) {
  for (int i = 0; i < options.num_experts; ++i) {
    expert::ExpertServer::Options node = roles.expert;
    node.name = absl::StrCat("expert-", i);
    node.data_plane.network = &network_;
    node.data_plane.name = node.name;
    ListenAt(options.port, kExpertOffset + i, &node.listen);
    ASSIGN_OR_RETURN(const service::Logger* logger,
                     AddLogger(options, "expert-node", node.name));
    ASSIGN_OR_RETURN(auto server, expert::ExpertServer::Start(node, *logger));
    experts_.push_back(std::move(server));
  }
  return absl::OkStatus();
}

absl::Status ServedMesh::StartAttention(const Options& options, Roles& roles) {
  for (int i = 0; i < options.num_attention; ++i) {
    attention::AttentionServer::Options node = roles.attention;
    node.name = absl::StrCat("attention-", i);
    node.data_plane.network = &network_;
    node.data_plane.name = node.name;
    ListenAt(options.port, kAttentionOffset + i, &node.listen);
    ASSIGN_OR_RETURN(const service::Logger* logger,
                     AddLogger(options, "attention-node", node.name));
    ASSIGN_OR_RETURN(auto server,
                     attention::AttentionServer::Start(node, *logger));
    attention_.push_back(std::move(server));
  }
  return absl::OkStatus();
}

absl::Status ServedMesh::StartGateway(const Options& options, Roles& roles) {
  roles.gateway.name = "gateway-0";
  ListenAt(options.port, 0, &roles.gateway.listen);
  if (roles.gateway.http_listen.empty()) {
    roles.gateway.http_listen = absl::StrCat(
        "127.0.0.1:", options.port == 0 ? 0 : options.port + kHttpOffset);
  }
  ASSIGN_OR_RETURN(const service::Logger* logger,
                   AddLogger(options, "gateway", roles.gateway.name));
  ASSIGN_OR_RETURN(gateway_,
                   gateway::GatewayServer::Start(roles.gateway, *logger));
  return absl::OkStatus();
}

void ServedMesh::Drain(absl::Duration limit) {
  gateway_->Drain(limit);
  gateway_.reset();
  for (const auto& node : attention_) node->Drain(limit);
}

}  // namespace mesh::cli
