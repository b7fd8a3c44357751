// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "model/checkpoint.h"
#include "model/weight_names.h"
#include "tests/expert-node/expert_peer.h"
#include "tests/expert-node/wait_for.h"
#include "tests/support/child_process.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace mesh::expert {
namespace {

using ::testing::HasSubstr;

const char kModel[] = MESH_SOURCE_DIR "/models/tiny-r1";
constexpr absl::Duration kLimit = absl::Seconds(30);

// Of the tensor's first byte.
void FlipABit(const std::string& model_dir, const std::string& tensor_name) {
  const auto checkpoint = *model::Checkpoint::Open(model_dir);
  for (const auto& file : checkpoint->Files()) {
    for (const model::TensorInfo& tensor : file->Tensors()) {
      if (tensor.name != tensor_name) continue;
      std::fstream bytes(file->Path(),
                         std::ios::in | std::ios::out | std::ios::binary);
      bytes.seekg(static_cast<std::streamoff>(tensor.begin));
      const int first = bytes.get();
      bytes.seekp(static_cast<std::streamoff>(tensor.begin));
      bytes.put(static_cast<char>(first ^ 1));
    }
  }
}

// bin/expert-node from outside.
class ExpertProgram : public ::testing::Test {
 protected:
  std::unique_ptr<ChildProcess> Run(std::vector<std::string> flags) {
    flags.insert(flags.begin(), MESH_BINARY_DIR "/bin/expert-node");
    const std::string log = dir_.Path("log" + std::to_string(num_runs_++));
    return std::make_unique<ChildProcess>(flags, log);
  }
  static std::optional<Json> Event(const ChildProcess& process,
                                   const std::string& name) {
    for (const Json& event : process.LogEvents()) {
      if (event.value("event", "") == name) return event;
    }
    return std::nullopt;
  }

  const TempDir dir_;
  int num_runs_ = 0;
};

TEST_F(ExpertProgram, RunsAloneAndEndsWithZeroOnSigterm) {
  const auto node = Run({"--experts", "all", "--model", kModel});
  ASSERT_TRUE(WaitFor([&] { return Event(*node, "hosting").has_value(); }))
      << node->Log();
  const std::string address = Event(*node, "listening")->value("address", "");
  ExpertPeer peer(kModel, "auto", {});
  ASSERT_OK(peer.Link(address));
  EXPECT_TRUE(peer.RowIsRight({LayerId{1}, ExpertId{77}}));
  EXPECT_THAT(peer.TransportStats().lane, HasSubstr("tcp"));
  node->Signal(SIGTERM);
  EXPECT_EQ(node->WaitExit(kLimit), 0) << node->Log();
}

TEST_F(ExpertProgram, SaysWhatIsWrongInOneLineAndWithItsExitCode) {
  const struct {
    std::vector<std::string> flags;
    int code;
    const char* message;
  } cases[] = {
      {{"--model", kModel, "--bogus"}, 78, "--bogus"},
      {{"--model", kModel}, 78, "--router"},
      {{"--model", "/nowhere", "--experts", "all"}, 66, "/nowhere"},
      {{"--model", kModel, "--experts", "all", "--memory", "1"},
       75,
       "--experts all: the model has 1024 experts"},
  };
  for (const auto& one : cases) {
    const auto node = Run(one.flags);
    EXPECT_EQ(node->WaitExit(kLimit), one.code);
    const std::string log = node->Log();
    EXPECT_THAT(log, ::testing::StartsWith("expert-node: "));
    EXPECT_THAT(log, HasSubstr(one.message));
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  }
}

TEST_F(ExpertProgram, EndsWhenItAloneFindsItsWeightsDamaged) {
  const std::string copy = dir_.Path("model");
  std::filesystem::copy(kModel, copy, std::filesystem::copy_options::recursive);
  FlipABit(copy, model::ExpertName(1, 9, model::Projection::kUp));
  const auto node = Run({"--experts", "all", "--model", copy});
  EXPECT_EQ(node->WaitExit(kLimit), 65) << node->Log();
  EXPECT_THAT(node->Log(), HasSubstr("expert-node: "));
  EXPECT_THAT(node->Log(), HasSubstr("experts.9.up_proj"));
}

}  // namespace
}  // namespace mesh::expert
