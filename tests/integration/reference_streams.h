// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "attention-node/transcript.h"
#include "cli/embedded_mesh.h"
#include "core/ids.h"
#include "tests/integration/streams.h"

namespace mesh {

// The requests of the same-bytes suites, in one process and between many.
inline constexpr size_t kNumStreams = 64;

// Prompts of every held-out set, so of many lengths; every second stream is
// greedy, the others sample, each with its own seed.
struct ReferenceStream {
  std::vector<TokenId> prompt;
  attention::SamplingParams sampling;
};
const std::vector<ReferenceStream>& ReferenceStreams();

// The same for the engine of `mesh`.
std::vector<attention::Transcript> Streams(const cli::EmbeddedMesh& mesh);

// What each gives alone: one process, one shard, one thread, whole prefill.
const std::vector<StreamResult>& Alone();

}  // namespace mesh
