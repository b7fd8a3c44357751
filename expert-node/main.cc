// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/status_macros.h"
#include "expert-node/expert_server.h"
#include "service/exit_code.h"
#include "service/failure.h"
#include "service/flags.h"
#include "service/logger.h"
#include "service/role.h"
#include "service/shutdown.h"

namespace mesh::expert {
namespace {

absl::Status Run(int argc, char** argv) {
  service::ShutdownSignal shutdown;
  service::Failure failure;
  ExpertServer::Options options;
  options.on_failure = [&](const absl::Status& s) { failure.Set(s); };
  std::string log_level = "info";
  absl::Duration drain_limit = absl::Seconds(30);
  service::Flags flags("expert-node", "expert-node",
                       "Holds routed experts and computes their rows.");
  ExpertServer::AddFlags(flags, &options);
  flags.Add("log-level", &log_level, "debug, info, warning or error");
  flags.Add("drain-limit", &drain_limit,
            "longest wait for others to take over after SIGTERM");
  ASSIGN_OR_RETURN(const bool go_on, flags.Parse(argc, argv));
  if (!go_on) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const auto logger,
      service::Logger::Create(
          log_level, std::string(service::RoleName(service::Role::kExpert)),
          options.name));
  ASSIGN_OR_RETURN(const auto server, ExpertServer::Start(options, *logger));
  shutdown.Wait();
  RETURN_IF_ERROR(failure.Get());
  server->Drain(drain_limit);
  logger->Info("stopped");
  return absl::OkStatus();
}

}  // namespace
}  // namespace mesh::expert

int main(int argc, char** argv) {
  const absl::Status status = mesh::expert::Run(argc, argv);
  if (!status.ok()) {
    std::fprintf(stderr, "expert-node: %s\n",
                 std::string(status.message()).c_str());
  }
  return mesh::service::ExitCode(status);
}
