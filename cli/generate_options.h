// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/answer_source.h"
#include "cli/embedded_mesh.h"
#include "cli/mesh_target.h"

namespace mesh::cli {

// The flags that `ask` and `chat` share.
struct GenerateOptions {
  // For an answer in this process; no model_dir: the bundled model.
  EmbeddedMesh::Options mesh;
  std::string chat_template;  // empty: as the model's own
  // A flag was given that has a meaning only in this process.
  bool in_process = false;
  // For an answer by a mesh; no address: the default one if a gateway is there.
  MeshTarget gateway;

  std::string system;  // system message; empty: none
  AnswerOptions answer;
};

}  // namespace mesh::cli
