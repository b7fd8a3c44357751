// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/status_macros.h"
#include "router/control/router_server.h"
#include "service/exit_code.h"
#include "service/flags.h"
#include "service/logger.h"
#include "service/role.h"
#include "service/shutdown.h"

namespace mesh::router {
namespace {

constexpr absl::Duration kDrainLimit = absl::Seconds(2);

absl::Status Run(int argc, char** argv) {
  service::ShutdownSignal shutdown;
  RouterServer::Options options;
  std::string log_level = "info";
  service::Flags flags("router", "router",
                       "Decides which expert node hosts which expert.");
  RouterServer::AddFlags(flags, &options);
  flags.Add("log-level", &log_level, "debug, info, warning or error");
  ASSIGN_OR_RETURN(const bool go_on, flags.Parse(argc, argv));
  if (!go_on) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const auto logger,
      service::Logger::Create(
          log_level, std::string(service::RoleName(service::Role::kRouter)),
          options.name));
  ASSIGN_OR_RETURN(const auto server, RouterServer::Start(options, *logger));
  shutdown.Wait();
  server->Drain(kDrainLimit);
  logger->Info("stopped");
  return absl::OkStatus();
}

}  // namespace
}  // namespace mesh::router

int main(int argc, char** argv) {
  const absl::Status status = mesh::router::Run(argc, argv);
  if (!status.ok()) {
    std::fprintf(stderr, "router: %s\n", std::string(status.message()).c_str());
  }
  return mesh::service::ExitCode(status);
}
