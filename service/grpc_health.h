// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mesh::service {

// Makes the messages of gRPC's health service known to reflection, which lists
// the service: gRPC 1.51 has them without their descriptors.
void DescribeHealthService();

}  // namespace mesh::service
