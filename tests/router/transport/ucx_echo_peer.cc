// SPDX-License-Identifier: Apache-2.0
// Another process with a UCX end, for tests to talk to and to kill. Reads the
// caller's address in hex from its input, answers with the argument of
// Connect() in hex, and echoes every frame until it is killed or its input
// ends.
#include <poll.h>

#include <cstring>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "core/clock.h"
#include "router/transport/data_plane.h"
#include "router/transport/ucx_transport.h"

namespace {

using mesh::PeerId;
using mesh::router::Frame;

class Kept final : public mesh::router::FrameHandler {
 public:
  void OnFrame(PeerId from, Frame frame) override {
    frames.emplace_back(from, std::move(frame));
  }
  void OnPeerLost(PeerId, const absl::Status&) override {}
  std::vector<std::pair<PeerId, Frame>> frames;
};

bool InputHasEnded() {
  pollfd input = {.fd = 0, .events = POLLIN, .revents = 0};
  return poll(&input, 1, 0) > 0;
}

}  // namespace

int main() {
  const mesh::RealClock clock;
  auto end = mesh::router::OpenUcx({}, clock);
  std::string caller;
  if (!end.ok() || !std::getline(std::cin, caller)) return 1;
  const auto offer =
      end->acceptor->Offer("test", absl::HexStringToBytes(caller));
  if (!offer.ok()) return 1;
  std::cout << absl::BytesToHexString(
                   mesh::router::ConnectAddress("ucx", *offer))
            << std::endl;
  Kept kept;
  while (!InputHasEnded()) {
    end->transport->Wait(absl::Milliseconds(20));
    end->transport->Poll(kept);
    for (auto& [from, frame] : std::exchange(kept.frames, {})) {
      // A caller that is gone needs no echo.
      end->transport->Send(from, std::move(frame)).IgnoreError();
    }
  }
  return 0;
}
