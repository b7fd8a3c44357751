// SPDX-License-Identifier: Apache-2.0
#include "service/grpc_log.h"

#include <grpc/support/log.h>

#include <string>

#include "core/mutex.h"

namespace mesh::service {
namespace {

// gRPC's hook is a plain function, so what it writes to is static. Never
// destroyed: gRPC's threads outlive main.
struct Sink {
  Mutex mutex;
  const Logger* logger ABSL_GUARDED_BY(mutex) = nullptr;
};

Sink& TheSink() {
  static Sink* const sink = new Sink;
  return *sink;
}

void Write(gpr_log_func_args* line) {
  Sink& sink = TheSink();
  const MutexLock lock(sink.mutex);
  if (sink.logger == nullptr) return;
  sink.logger->Warning("grpc", {{"message", std::string(line->message)}});
}

void SetLogger(const Logger* logger) {
  Sink& sink = TheSink();
  const MutexLock lock(sink.mutex);
  sink.logger = logger;
}

}  // namespace

GrpcLog::GrpcLog(const Logger* logger) {
  SetLogger(logger);
  gpr_set_log_function(Write);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
}

GrpcLog::~GrpcLog() { SetLogger(nullptr); }

}  // namespace mesh::service
