// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace mesh::attention {

// What an engine has done since it was made, and holds now.
struct EngineCounters {
  int64_t steps = 0;         // that ran a forward pass
  int64_t mixed_steps = 0;   // with both prompt and decode rows
  int64_t prefill_rows = 0;  // recomputed ones included
  int64_t decode_rows = 0;
  int64_t prefill_chunks = 0;  // parts of a prompt that did not end it
  int64_t admissions = 0;      // again after a preemption included
  int64_t preemptions = 0;
  int64_t emitted_tokens = 0;
  int64_t submitted = 0;  // accepted streams
  int64_t finished = 0;   // for whatever reason
  // Of the prompts of streams that began, and of these, found in the cache.
  int64_t prompt_tokens = 0;
  int64_t cached_prompt_tokens = 0;

  // Now.
  int running = 0;
  int waiting = 0;  // preempted ones included
  int total_blocks = 0;
  int free_blocks = 0;   // that a sequence can take
  int kept_blocks = 0;   // of these, those that keep a prefix
  int owned_blocks = 0;  // by running sequences; with the free ones, all
};

}  // namespace mesh::attention
