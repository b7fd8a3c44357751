// SPDX-License-Identifier: Apache-2.0
// A peer in another process that is killed, at rest and in the middle of work.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>

#include "absl/strings/escaping.h"
#include "tests/router/transport/ucx_ends.h"

namespace mesh::router {
namespace {

// A running ucx_echo_peer.
class EchoPeer {
 public:
  EchoPeer() {
    std::array<int, 2> in;
    std::array<int, 2> out;
    EXPECT_EQ(pipe2(in.data(), O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(out.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    const std::string path =
        std::string(MESH_BINARY_DIR) + "/bin/ucx_echo_peer";
    std::string name = "ucx_echo_peer";
    char* const argv[] = {name.data(), nullptr};
    EXPECT_EQ(
        posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    to_peer_ = in[1];
    from_peer_ = out[0];
  }
  ~EchoPeer() {
    Kill();
    close(to_peer_);
    close(from_peer_);
  }
  EchoPeer(const EchoPeer&) = delete;
  EchoPeer& operator=(const EchoPeer&) = delete;

  // The argument of Connect() for the end at `address`.
  std::string Offer(const std::string& address) const {
    const std::string line = absl::BytesToHexString(address) + "\n";
    EXPECT_EQ(write(to_peer_, line.data(), line.size()),
              static_cast<ssize_t>(line.size()));
    std::string answer;
    char c = 0;
    while (read(from_peer_, &c, 1) == 1 && c != '\n') answer += c;
    return absl::HexStringToBytes(answer);
  }

  void Kill() {
    if (pid_ < 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int to_peer_ = -1;
  int from_peer_ = -1;
};

class UcxKilledPeerTest : public UcxEnds {
 protected:
  PeerId Connect(const EchoPeer& peer) {
    const auto id = a_.transport->Connect(peer.Offer(a_.local_address));
    EXPECT_OK(id);
    return *id;
  }
  void ExpectLost(PeerId peer) {
    const size_t before = a_inbox_.lost.size();
    EXPECT_TRUE(PollUntil([&] { return a_inbox_.lost.size() > before; }));
    EXPECT_EQ(a_inbox_.lost.back(), peer);
    EXPECT_THAT(SendText(a_, peer, "x"),
                StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_EQ(a_.transport->Stats().num_links, 0);
  }
};

TEST_F(UcxKilledPeerTest, AnIdlePeerThatIsKilledIsLostAtOnce) {
  EchoPeer peer;
  const PeerId id = Connect(peer);
  ASSERT_OK(SendText(a_, id, "are you there"));
  ASSERT_TRUE(PollUntil([&] { return a_inbox_.texts.size() == 1; }));
  const absl::Time killed = absl::Now();
  peer.Kill();
  ExpectLost(id);
  EXPECT_LT(absl::Now() - killed, absl::Seconds(5));
  ExpectGoodExchange();
}

TEST_F(UcxKilledPeerTest, APeerThatIsKilledAtWorkHarmsNobody) {
  const std::string large(a_.transport->MaxFrameBytes(), 'l');
  const std::string small(14336, 's');
  for (int round = 0; round < 8; ++round) {
    EchoPeer peer;
    const PeerId id = Connect(peer);
    for (int i = 0; i < 6; ++i) {
      ASSERT_OK(SendText(a_, id, large));
      for (int k = 0; k < 20; ++k) ASSERT_OK(SendText(a_, id, small));
    }
    const size_t before = a_inbox_.texts.size();
    const size_t enough = before + static_cast<size_t>(round) * 15;
    ASSERT_TRUE(PollUntil([&] { return a_inbox_.texts.size() >= enough; }));
    peer.Kill();
    ExpectLost(id);
    a_inbox_.texts.clear();
    a_inbox_.frames.clear();
  }
  ExpectGoodExchange();
}

}  // namespace
}  // namespace mesh::router
