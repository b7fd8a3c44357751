// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/generation_request.h"
#include "gateway/openai/request_fields.h"

namespace mesh::gateway {

// How a stream of events is to look.
struct StreamChoices {
  bool stream = false;
  bool include_usage = false;
  bool continuous_usage = false;  // in every event
};

// Fields that chats and completions share. Each function reads its fields into
// its target. Errors: those of RequestFields; unsupported_parameter.

// model, temperature and its like, seed, logit_bias, stop, stop_token_ids,
// ignore_eos, priority, request_id, cache_salt. Checks user and metadata, which
// have no effect.
absl::Status ReadCommon(const RequestFields& fields, GenerateInput* input);

// stream, stream_options.
absl::Status ReadStreamChoices(const RequestFields& fields,
                               StreamChoices* choices);

// n, with 1 for what is absent.
absl::Status ReadN(const RequestFields& fields, int* n);

// Refuses what would change the answer and is not served.
absl::Status RefuseUnsupported(const RequestFields& fields);

// The fields that RefuseUnsupported refuses whatever they hold.
std::vector<absl::string_view> UnsupportedFields();

}  // namespace mesh::gateway
