// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "service/logger.h"

namespace mesh::service {

// While alive, the errors that gRPC itself reports (failed handshakes, say) go
// to the log as event "grpc" instead of to standard error in its own format;
// without a logger, nowhere. One at a time, made before any other use of gRPC.
// gRPC may still talk after the end; that is then dropped.
class GrpcLog {
 public:
  // `logger` may be null, and outlives this.
  explicit GrpcLog(const Logger* logger);
  ~GrpcLog();
  GrpcLog(const GrpcLog&) = delete;
  GrpcLog& operator=(const GrpcLog&) = delete;
};

}  // namespace mesh::service
