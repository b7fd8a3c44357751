// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/json.h"

namespace mesh::gateway {

// A stream of events, read strictly: each is one "data: " line and an empty
// one.
struct Events {
  std::vector<Json> chunks;
  bool is_done = false;  // [DONE] came, and nothing after it

  static Events Of(absl::string_view text) {
    Events events;
    while (!text.empty()) {
      EXPECT_FALSE(events.is_done) << "behind [DONE]: " << text;
      const size_t end = text.find("\n\n");
      if (end == absl::string_view::npos) {
        ADD_FAILURE() << "half an event: " << text;
        break;
      }
      absl::string_view line = text.substr(0, end);
      text.remove_prefix(end + 2);
      EXPECT_TRUE(absl::ConsumePrefix(&line, "data: ")) << line;
      EXPECT_EQ(line.find_first_of("\r\n"), absl::string_view::npos);
      if (line == "[DONE]") {
        events.is_done = true;
        continue;
      }
      const auto json = ParseJson(line, "event");
      EXPECT_TRUE(json.ok()) << json.status() << line;
      if (json.ok()) events.chunks.push_back(*json);
    }
    return events;
  }
};

}  // namespace mesh::gateway
