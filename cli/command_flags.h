// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/embedded_mesh.h"

namespace mesh::cli {

// The command that the flags chose.
using Command = std::function<absl::Status()>;

// As CLI::Range, but a NaN is outside.
CLI::Validator NumberIn(double least, double most);

// The flags of everything that runs a model in this process.
std::vector<CLI::Option*> AddEmbeddedMeshFlags(CLI::App& app,
                                               EmbeddedMesh::Options* options);

// A switch that may stand once.
void AddSwitch(CLI::App& app, const std::string& name, bool* target,
               const std::string& help);

}  // namespace mesh::cli
