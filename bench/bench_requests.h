// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace mesh::bench {

// Letter x of tiny-r1: as text it is one byte, so that what a client has read
// tells how many tokens came.
inline constexpr int kLetterToken = 123;

// A chat whose answer streams for `num_tokens`. `key`: none if empty.
inline std::string ChatRequest(absl::string_view key, uint64_t seed,
                               int num_tokens) {
  const std::string body = absl::StrCat(
      R"({"model":"tiny-r1","messages":[{"role":"user","content":)",
      R"("How many letters are there in this sentence of eleven words?"}],)",
      R"("stream":true,"seed":)", seed, R"(,"max_tokens":)", num_tokens, "}");
  const std::string authorization =
      key.empty() ? "" : absl::StrCat("Authorization: Bearer ", key, "\r\n");
  return absl::StrCat(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\n", authorization,
      "Content-Type: application/json\r\nContent-Length: ", body.size(),
      "\r\n\r\n", body);
}

// How many of those letters are in events of an answer.
inline int CountLetters(absl::string_view events) {
  constexpr absl::string_view kContent = "content\":\"";
  int count = 0;
  for (size_t at = events.find(kContent); at != absl::string_view::npos;
       at = events.find(kContent, at)) {
    at += kContent.size();
    while (at < events.size() && events[at] != '"') {
      ++at;
      ++count;
    }
  }
  return count;
}

// Of an answer that is whole.
inline bool HasDone(absl::string_view events) {
  return events.find("data: [DONE]") != absl::string_view::npos;
}

// The smallest of `values` that `share` of them do not exceed; 0 without any.
inline double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at =
      std::min(values.size() - 1,
               static_cast<size_t>(share * static_cast<double>(values.size())));
  std::nth_element(values.begin(),
                   values.begin() + static_cast<std::ptrdiff_t>(at),
                   values.end());
  return values[at];
}

}  // namespace mesh::bench
