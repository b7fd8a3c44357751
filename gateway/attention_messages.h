// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/digest.h"
#include "core/ids.h"
#include "gateway/sampling.h"

namespace mesh::gateway {

// What a gateway and an attention node tell each other, as plain values;
// attention_proto.h has their wire form.

// What decides a stream's bytes besides its transcript. A stream goes on only
// where all three are the same.
struct ModelIdentity {
  Digest model;
  std::string numerics;  // class of arithmetic
  uint32_t routing_table = 0;

  friend bool operator==(const ModelIdentity&, const ModelIdentity&) = default;
};

struct NodeLoad {
  int streams_running = 0;
  int streams_waiting = 0;
  uint64_t kv_blocks_free = 0;
  uint64_t kv_blocks_total = 0;
  bool draining = false;
};

struct NodeHello {
  std::string name;
  Digest model;
  std::string numerics;
  int vocab_size = 0;
  int max_positions = 0;
  std::vector<uint32_t> routing_tables;  // at least one
  absl::Duration heartbeat_interval;
  int max_streams = 0;  // that run there at the same time

  bool Serves(const ModelIdentity& identity) const {
    return identity.model == model && identity.numerics == numerics &&
           std::count(routing_tables.begin(), routing_tables.end(),
                      identity.routing_table) > 0;
  }
};

// One attempt to run a stream on a node, from its beginning or from `emitted`.
struct Submission {
  RequestId request;
  uint32_t attempt = 0;
  std::vector<TokenId> prompt;
  Sampling sampling;
  ModelIdentity identity;
  std::vector<TokenId> emitted;
  absl::Duration timeout;
  int priority = 0;
  std::string request_id;
  std::string cache_salt;
};

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0;

  friend bool operator==(const TokenLogprob&, const TokenLogprob&) = default;
};

// One emitted token. Index counts from 0 in the stream, resumed or not.
struct EmittedToken {
  int index = 0;
  TokenId id = 0;
  float logprob = 0;
  std::vector<TokenLogprob> top = {};
};

// What the model thought of one prompt token; positions count from 1.
struct PromptLogprob {
  int position = 0;
  TokenId id = 0;
  float logprob = 0;
  std::vector<TokenLogprob> top = {};
};

enum class FinishReason { kStop, kLength, kCancelled, kDeadline, kFailed };

struct Finished {
  FinishReason reason = FinishReason::kStop;
  absl::Status status;  // of kFailed
};

// What one step made for one attempt.
struct StreamResult {
  RequestId request;
  uint32_t attempt = 0;
  std::vector<PromptLogprob> prompt_logprobs = {};
  std::vector<EmittedToken> tokens = {};
  std::optional<Finished> finished = {};
  // Of the prompt's, those that the node did not have to compute.
  int num_cached_tokens = 0;
};

struct StepResults {
  std::vector<StreamResult> streams;
  NodeLoad load;
};

// An attempt that the node did not accept.
struct Refusal {
  RequestId request;
  uint32_t attempt = 0;
  absl::Status status;
};

}  // namespace mesh::gateway
