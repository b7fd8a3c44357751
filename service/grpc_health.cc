// SPDX-License-Identifier: Apache-2.0
#include "service/grpc_health.h"

#include "core/check.h"
#include "grpc/health/v1/health.pb.h"

namespace mesh::service {

void DescribeHealthService() {
  MESH_CHECK(grpc::health::v1::HealthCheckRequest::descriptor() != nullptr);
}

}  // namespace mesh::service
