// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/status_macros.h"
#include "gateway/gateway_server.h"
#include "service/exit_code.h"
#include "service/flags.h"
#include "service/logger.h"
#include "service/shutdown.h"

namespace mesh::gateway {
namespace {

constexpr absl::Duration kDrainLimit = absl::Seconds(30);

absl::Status Run(int argc, char** argv) {
  service::ShutdownSignal shutdown;
  GatewayServer::Options options;
  std::string log_level = "info";
  service::Flags flags("gateway", "gateway",
                       "Takes requests and keeps their token streams going.");
  GatewayServer::AddFlags(flags, &options);
  flags.Add("log-level", &log_level, "debug, info, warning or error");
  ASSIGN_OR_RETURN(const bool go_on, flags.Parse(argc, argv));
  if (!go_on) return absl::OkStatus();
  if (options.router_address.empty()) {
    return absl::InvalidArgumentError(
        "--router: missing, expected HOST:PORT of the mesh's router");
  }
  if (options.model_dir.empty()) {
    return absl::InvalidArgumentError(
        "--model: missing, expected a model folder");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<service::Logger> logger,
                   service::Logger::Create(log_level, "gateway", options.name));
  ASSIGN_OR_RETURN(const std::unique_ptr<GatewayServer> server,
                   GatewayServer::Start(options, *logger));
  logger->Info("listening", {{"address", server->Address()},
                             {"http_address", server->HttpAddress()}});
  const int signal = shutdown.Wait();
  logger->Info("stopping", {{"signal", int64_t{signal}}});
  server->Drain(kDrainLimit);
  return absl::OkStatus();
}

}  // namespace
}  // namespace mesh::gateway

int main(int argc, char** argv) {
  const absl::Status status = mesh::gateway::Run(argc, argv);
  if (!status.ok()) {
    std::fprintf(stderr, "gateway: %s\n",
                 std::string(status.message()).c_str());
  }
  return mesh::service::ExitCode(status);
}
