// SPDX-License-Identifier: Apache-2.0
#include "cli/open_answer_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/bundled_model.h"
#include "cli/gateway_client.h"
#include "cli/load_mesh.h"
#include "cli/text_generator.h"
#include "core/status_macros.h"

namespace mesh::cli {
namespace {

// A gateway on this machine answers at once or not at all.
constexpr absl::Duration kProbeLimit = absl::Seconds(2);
constexpr absl::Duration kConnectLimit = absl::Seconds(10);

absl::StatusOr<std::unique_ptr<AnswerSource>> InThisProcess(
    const GenerateOptions& options, Console& console) {
  EmbeddedMesh::Options mesh_options = options.mesh;
  if (mesh_options.model_dir.empty()) mesh_options.model_dir = kBundledModel;
  ASSIGN_OR_RETURN(TextModel text_model, LoadTextModel(mesh_options.model_dir,
                                                       options.chat_template));
  ASSIGN_OR_RETURN(auto mesh, LoadMesh(mesh_options, console));
  return std::make_unique<TextGenerator>(std::move(mesh),
                                         std::move(text_model));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AnswerSource>> OpenAnswerSource(
    const GenerateOptions& options, Console& console) {
  if (options.in_process) return InThisProcess(options, console);
  if (!options.gateway.address.empty()) {
    return GatewayClient::Connect(options.gateway, kConnectLimit);
  }
  MeshTarget nearby = options.gateway;
  nearby.address = kDefaultGateway;
  auto gateway = GatewayClient::Connect(nearby, kProbeLimit);
  if (gateway.ok()) return gateway;
  console.Note(absl::StrCat("no mesh answers at ", kDefaultGateway,
                            "; answering in this process"));
  return InThisProcess(options, console);
}

}  // namespace mesh::cli
