// SPDX-License-Identifier: Apache-2.0
// Tokens, one for each byte, to the events of a stream. However they come in
// pieces, the client gets the same text; nothing of it leaves its line; and
// without thinking it is what a simple search for the stop strings leaves.
// The first byte says how, then stop strings end with a zero byte each.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "core/check.h"
#include "core/json.h"
#include "gateway/openai/chat_answer.h"
#include "gateway/tokenizer.h"
#include "gateway/utf8.h"
#include "tests/gateway/minimal_tokenizer.h"

namespace mesh::gateway {
namespace {

struct Seen {
  std::string reasoning;
  std::string content;

  friend bool operator==(const Seen&, const Seen&) = default;
};

struct Input {
  ReasoningFormat format;
  bool starts_in_reasoning;
  size_t piece;  // tokens at a time
  std::vector<std::string> stops;
  std::vector<TokenId> tokens;
};

const Tokenizer& ByteTokenizer() {
  static const auto* const tokenizer = [] {
    auto file = ParseTokenizerFile(MinimalTokenizer().dump(), "fuzz");
    MESH_CHECK(file.ok());
    auto created = Tokenizer::Create(*std::move(file), TokenizerConfig());
    MESH_CHECK(created.ok());
    return created->release();
  }();
  return *tokenizer;
}

Input InputOf(absl::string_view bytes) {
  const auto how = static_cast<unsigned char>(bytes[0]);
  bytes.remove_prefix(1);
  Input input{.format = static_cast<ReasoningFormat>(how % 3),
              .starts_in_reasoning = (how & 4) != 0,
              .piece = size_t{1} + ((how >> 3) & 7),
              .stops = {},
              .tokens = {}};
  for (size_t i = (how >> 6) & 3; i > 0; --i) {
    const size_t end = bytes.find('\0');
    if (end == absl::string_view::npos || end == 0) break;
    input.stops.emplace_back(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
  }
  for (const char byte : bytes) {
    input.tokens.push_back(static_cast<unsigned char>(byte));
  }
  return input;
}

// What the pieces of the generation's answer are.
std::vector<AnswerDelta> DeltasOf(const Input& input, AnswerStream stream,
                                  size_t piece) {
  std::vector<AnswerDelta> deltas;
  for (size_t at = 0; at < input.tokens.size() && !stream.Stopped();
       at += piece) {
    StreamResult result;
    const size_t end = std::min(at + piece, input.tokens.size());
    for (size_t i = at; i < end; ++i) {
      result.tokens.push_back(
          {.index = static_cast<int>(i), .id = input.tokens[i]});
    }
    deltas.push_back(stream.Push(std::move(result)));
  }
  deltas.push_back(stream.Finish());
  return deltas;
}

void TakeDelta(const Json& chunk, Seen* seen) {
  const Json& delta = chunk["choices"][0]["delta"];
  if (delta.contains("content") && delta["content"].is_string()) {
    seen->content += delta["content"].get<std::string>();
  }
  if (delta.contains("reasoning_content")) {
    seen->reasoning += delta["reasoning_content"].get<std::string>();
  }
}

// Reads the events as a client does.
Seen ReadEvents(absl::string_view text) {
  Seen seen;
  while (text != "data: [DONE]\n\n") {
    const size_t end = text.find('\n');
    MESH_CHECK(end != absl::string_view::npos);
    absl::string_view line = text.substr(0, end);
    MESH_CHECK(absl::ConsumePrefix(&line, "data: "));
    MESH_CHECK(line.find('\r') == absl::string_view::npos);
    text.remove_prefix(end);
    MESH_CHECK(absl::ConsumePrefix(&text, "\n\n"));
    const auto chunk = ParseJson(line, "event");
    MESH_CHECK(chunk.ok());
    TakeDelta(*chunk, &seen);
  }
  return seen;
}

Seen StreamedOf(const Input& input, const std::vector<AnswerDelta>& deltas) {
  ChatAnswer answer({.head = {.id = "i", .model = "m", .created = 1},
                     .logprobs = true,
                     .tokenizer = &ByteTokenizer()},
                    input.format);
  std::string out;
  answer.AppendStart(0, &out);
  for (const AnswerDelta& delta : deltas) {
    answer.CountTokens(0, delta);
    answer.AppendDelta(0, delta, &out);
  }
  answer.AppendFinish(0, &out);
  answer.AppendEnd(&out);
  return ReadEvents(out);
}

Seen WholeOf(const Input& input, const std::vector<AnswerDelta>& deltas) {
  ChatAnswer answer({.head = {.id = "i", .model = "m", .created = 1},
                     .tokenizer = &ByteTokenizer()},
                    input.format);
  for (const AnswerDelta& delta : deltas) answer.Keep(0, delta);
  const auto body = ParseJson(answer.Body(), "body");
  MESH_CHECK(body.ok());
  const Json& message = (*body)["choices"][0]["message"];
  Seen seen{.reasoning = {}, .content = message["content"].get<std::string>()};
  if (message.contains("reasoning_content") &&
      message["reasoning_content"].is_string()) {
    seen.reasoning = message["reasoning_content"].get<std::string>();
  }
  return seen;
}

// Up to where the first stop string is complete, without the longest that
// ends there.
std::string CutAtStop(const std::string& text,
                      const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& stop : stops) {
      if (absl::EndsWith(absl::string_view(text).substr(0, end), stop)) {
        longest = std::max(longest, stop.size());
      }
    }
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

void CheckOne(const Input& input) {
  GenerationRequest request;
  request.stops = input.stops;
  request.starts_in_reasoning = input.starts_in_reasoning;
  const auto create = [&request] {
    return AnswerStream::Create(ByteTokenizer(), request);
  };
  if (!create().ok()) return;
  const auto pieces = DeltasOf(input, *create(), input.piece);
  const Seen seen = StreamedOf(input, pieces);
  MESH_CHECK(seen == WholeOf(input, pieces));
  const auto at_once =
      DeltasOf(input, *create(), std::max<size_t>(input.tokens.size(), 1));
  MESH_CHECK(seen == WholeOf(input, at_once));
  const std::string text =
      ByteTokenizer().Decode(input.tokens, /*skip_special=*/false);
  if (input.starts_in_reasoning || absl::StrContains(text, "<")) return;
  MESH_CHECK(seen.reasoning.empty());
  MESH_CHECK(seen.content == CutAtStop(text, input.stops));
}

}  // namespace
}  // namespace mesh::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 4096) return 0;
  mesh::gateway::CheckOne(mesh::gateway::InputOf(
      absl::string_view(reinterpret_cast<const char*>(data), size)));
  return 0;
}
