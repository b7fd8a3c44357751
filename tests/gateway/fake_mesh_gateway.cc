// SPDX-License-Identifier: Apache-2.0
// A gateway with one fake attention node in one process, for tests of clients:
//
//   fake_mesh_gateway MODEL_DIR
//
// Prints the gateway's address on a line and runs until standard input ends.
// Whatever is asked, the answer is kAnswer.
#include <cstdio>
#include <iostream>
#include <string>

#include "gateway/gateway_server.h"
#include "gateway/tokenizer.h"
#include "service/logger.h"
#include "tests/gateway/fake_attention_service.h"

namespace mesh::gateway {
namespace {

constexpr char kAnswer[] =
    "Let me count the letters.</think>There are 3 \"r\"s in strawberry."
    "<｜end▁of▁sentence｜>";

int Fail(const absl::Status& status) {
  std::cerr << "fake_mesh_gateway: " << status << "\n";
  return 70;
}

int Main(const std::string& model_dir) {
  const auto tokenizer = Tokenizer::Load(model_dir);
  if (!tokenizer.ok()) return Fail(tokenizer.status());
  const auto answer = (*tokenizer)->EncodeWithSpecials(kAnswer);
  if (!answer.ok()) return Fail(answer.status());
  FakeAttentionNode node(
      {.model = [&answer](std::span<const TokenId>,
                          std::span<const TokenId> emitted, uint64_t) {
        return emitted.size() < answer->size() ? (*answer)[emitted.size()]
                                               : answer->back();
      }});
  const auto logger = service::Logger::Create("error", "gateway", "gateway-0");
  if (!logger.ok()) return Fail(logger.status());
  GatewayServer::Options options;
  options.model_dir = model_dir;
  options.attention_nodes = {{"attention-0", node.Address()}};
  const auto server = GatewayServer::Start(options, **logger);
  if (!server.ok()) return Fail(server.status());
  std::cout << (*server)->Address() << std::endl;
  while (std::getchar() != EOF) {
  }
  return 0;
}

}  // namespace
}  // namespace mesh::gateway

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fake_mesh_gateway MODEL_DIR\n";
    return 78;
  }
  return mesh::gateway::Main(argv[1]);
}
