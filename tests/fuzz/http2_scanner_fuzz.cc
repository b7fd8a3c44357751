// SPDX-License-Identifier: Apache-2.0
// What comes on a connection of the public gRPC port: the scanner equals its
// slow twin, for any split of the bytes.
#include <cstddef>
#include <cstdint>

#include "tests/gateway/grpc_port/scan_script.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mesh::gateway::CheckScript({data, size});
  return 0;
}
