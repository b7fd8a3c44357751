// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "gateway/http/http_message.h"

namespace mesh::gateway {

// A status as OpenAI's and DeepSeek's clients expect it: {"error": {"message",
// "type", "param", "code"}}. What is our own mistake says no more than that.
std::string ErrorBody(const absl::Status& status);

// The status of HTTP: that of the details, or the code's own.
int HttpStatusOf(const absl::Status& status);

// The whole answer. Headers: Content-Type; x-should-retry; Retry-After
// (seconds) and retry-after-ms where another try may succeed;
// WWW-Authenticate with 401. REQUIRES: !status.ok().
HttpResponse ErrorResponse(const absl::Status& status);

}  // namespace mesh::gateway
