// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/support/gateway_streams.h"
#include "tests/support/process_mesh.h"

namespace mesh {

// No stream failed, none differs; says what went wrong first.
void ExpectAllSame(const StreamsReport& report, const std::string& what);

// What has gone over the data plane, as the attention nodes count it.
struct DataPlaneBytes {
  uint64_t sent = 0;
  uint64_t received = 0;
};

// Sums over all attention nodes, and expects every link that they have to be
// one of UCX over TCP, on both its ends.
DataPlaneBytes ExpectUcxLinks(ProcessMesh& mesh);

// What should be the same before and after.
struct Usage {
  int num_descriptors = 0;
  uint64_t rss_bytes = 0;
};
std::map<std::string, Usage> MeasureUsage(ProcessMesh& mesh);

// Every attention node that runs has all KV blocks free and no stream, within
// some seconds.
void ExpectNothingHeld(ProcessMesh& mesh);

// Processes that were there before hold no more than then: 4 descriptors and
// 24 MiB are allowed for connections to newcomers, experts that moved in and
// what the allocator keeps.
void ExpectBaseline(ProcessMesh& mesh,
                    const std::map<std::string, Usage>& before);

}  // namespace mesh
