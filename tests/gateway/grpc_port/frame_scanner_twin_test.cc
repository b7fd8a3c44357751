// SPDX-License-Identifier: Apache-2.0
// The scanner says the same as its slow twin, whatever comes and however it is
// cut.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "tests/gateway/grpc_port/scan_script.h"
#include "tests/support/sanitized.h"

namespace mesh::gateway {
namespace {

TEST(FrameScannerTwinTest, AgreesOnRandomConnections) {
  std::mt19937_64 random(1);
  std::map<std::optional<CloseReason>, int> outcomes;
  for (int i = 0; i < (kSanitized ? 5000 : 50000); ++i) {
    std::vector<uint8_t> script(random() % 300);
    for (uint8_t& byte : script) byte = static_cast<uint8_t>(random());
    ++outcomes[CheckScript(script).reason];
  }
  if (kSanitized) return;
  // So many that each way that a connection can go was among them.
  for (const CloseReason reason :
       {CloseReason::kNotHttp2, CloseReason::kProtocol, CloseReason::kFrameSize,
        CloseReason::kHeaderBlock, CloseReason::kStreams,
        CloseReason::kRequestBytes, CloseReason::kResets,
        CloseReason::kControlFrames}) {
    EXPECT_GT(outcomes[reason], 0) << CloseReasonName(reason);
  }
  EXPECT_GT(outcomes[std::nullopt], 0);
}

}  // namespace
}  // namespace mesh::gateway
