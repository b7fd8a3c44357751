// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/command_flags.h"
#include "cli/console.h"
#include "cli/doctor.h"
#include "cli/mesh_target.h"
#include "cli/served_mesh.h"
#include "cli/status.h"

namespace mesh::cli {

// --tls-ca, --tls-cert, --tls-key and --insecure-lab: how a mesh's processes
// are trusted.
void AddTrustFlags(CLI::App& app, MeshTarget* target);
void AddKeyFlag(CLI::App& app, std::string* api_key_file);

struct MeshCommandOptions {
  StatusOptions status;
  DoctorOptions doctor;
  ServedMesh::Options serve;
};

// `status`, `doctor` and `serve`. `options` and `console` outlive the command.
void AddMeshCommands(CLI::App& app, MeshCommandOptions* options,
                     Console& console, Command* command);

}  // namespace mesh::cli
