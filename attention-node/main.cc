// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "attention-node/attention_server.h"
#include "core/status_macros.h"
#include "service/exit_code.h"
#include "service/failure.h"
#include "service/flags.h"
#include "service/logger.h"
#include "service/role.h"
#include "service/shutdown.h"

namespace mesh::attention {
namespace {

absl::Status Run(int argc, char** argv) {
  service::ShutdownSignal shutdown;
  service::Failure failure;
  AttentionServer::Options options;
  options.on_failure = [&](const absl::Status& s) { failure.Set(s); };
  std::string log_level = "info";
  absl::Duration drain_limit = absl::Seconds(30);
  service::Flags flags("attention-node", "attention-node",
                       "Runs streams of tokens; its experts live elsewhere.");
  AttentionServer::AddFlags(flags, &options);
  flags.Add("log-level", &log_level, "debug, info, warning or error");
  flags.Add("drain-limit", &drain_limit,
            "longest time for streams to end after SIGTERM");
  ASSIGN_OR_RETURN(const bool go_on, flags.Parse(argc, argv));
  if (!go_on) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      const auto logger,
      service::Logger::Create(
          log_level, std::string(service::RoleName(service::Role::kAttention)),
          options.name));
  ASSIGN_OR_RETURN(const auto server, AttentionServer::Start(options, *logger));
  shutdown.Wait();
  RETURN_IF_ERROR(failure.Get());
  server->Drain(drain_limit);
  logger->Info("stopped");
  return absl::OkStatus();
}

}  // namespace
}  // namespace mesh::attention

int main(int argc, char** argv) {
  const absl::Status status = mesh::attention::Run(argc, argv);
  if (!status.ok()) {
    std::fprintf(stderr, "attention-node: %s\n",
                 std::string(status.message()).c_str());
  }
  return mesh::service::ExitCode(status);
}
