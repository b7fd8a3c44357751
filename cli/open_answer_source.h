// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "cli/answer_source.h"
#include "cli/console.h"
#include "cli/generate_options.h"

namespace mesh::cli {

// The gateway that was named; this process if a flag asks for that; else the
// gateway at the default address if one is there, or this process with a note.
// Errors: those of GatewayClient::Connect, LoadTextModel and LoadMesh.
absl::StatusOr<std::unique_ptr<AnswerSource>> OpenAnswerSource(
    const GenerateOptions& options, Console& console);

}  // namespace mesh::cli
