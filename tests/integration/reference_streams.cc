// SPDX-License-Identifier: Apache-2.0
#include "tests/integration/reference_streams.h"

#include <memory>

#include "tests/integration/heldout.h"

namespace mesh {
namespace {

constexpr int kMaxTokens = 32;

attention::SamplingParams SamplingOf(size_t stream) {
  attention::SamplingParams sampling;
  sampling.temperature = stream % 2 == 0 ? 0.0F : 1.0F;
  sampling.top_p = stream % 4 == 1 ? 0.9F : 1.0F;
  sampling.repetition_penalty = stream % 8 == 3 ? 1.1F : 1.0F;
  sampling.seed = 1000 + stream;
  sampling.max_tokens = kMaxTokens;
  return sampling;
}

}  // namespace

const std::vector<ReferenceStream>& ReferenceStreams() {
  static const std::vector<ReferenceStream>* const kStreams = [] {
    const std::vector<HeldoutItem> items = ReadHeldout();
    auto* streams = new std::vector<ReferenceStream>;
    for (size_t i = 0; i < kNumStreams; ++i) {
      const HeldoutItem& item = items[i * items.size() / kNumStreams];
      streams->push_back({item.prompt_ids, SamplingOf(i)});
    }
    return streams;
  }();
  return *kStreams;
}

std::vector<attention::Transcript> Streams(const cli::EmbeddedMesh& mesh) {
  std::vector<attention::Transcript> transcripts;
  for (const ReferenceStream& stream : ReferenceStreams()) {
    transcripts.push_back(MakeTranscript(mesh, transcripts.size() + 1,
                                         stream.prompt, stream.sampling));
  }
  return transcripts;
}

const std::vector<StreamResult>& Alone() {
  static const std::vector<StreamResult>* const kResults = [] {
    const auto mesh =
        LoadTinyR1({.num_threads = 1, .num_shards = 1, .prefix_cache = false});
    auto* results = new std::vector<StreamResult>;
    for (const attention::Transcript& transcript : Streams(*mesh)) {
      results->push_back(RunStreams(*mesh, {transcript})[0]);
    }
    return results;
  }();
  return *kResults;
}

}  // namespace mesh
