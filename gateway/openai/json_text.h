// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mesh::gateway {

// Appends `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD, and
// no control character gets out as itself: an event stays on its line.
void AppendJsonString(absl::string_view text, std::string* out);

// The shortest number that reads back the same. JSON has no infinity: what is
// not finite, such as the logarithm of 0, is -9999, as OpenAI has it.
void AppendJsonNumber(float number, std::string* out);
void AppendJsonNumber(double number, std::string* out);

}  // namespace mesh::gateway
