// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/strings/string_view.h"
#include "gateway/http/http_message.h"

namespace mesh::gateway {

// What is wrong with a request before anybody has looked at what it asks for.
// Both texts are literals and fit into JSON as they are: nothing of the request
// is ever sent back.
struct HttpError {
  int status = 400;
  absl::string_view code;
  absl::string_view message;
};

// In the form of OpenAI's errors.
HttpResponse ErrorResponse(const HttpError& error);

// "Not Found" for 404; never empty.
absl::string_view ReasonPhrase(int status);

}  // namespace mesh::gateway
