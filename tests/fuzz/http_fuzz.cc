// SPDX-License-Identifier: Apache-2.0
// Bytes of a client of the HTTP server: heads and bodies, one request after the
// other. What is understood must not depend on how the bytes are cut; what is
// accepted must keep the rules that the handlers rely on.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/check.h"
#include "gateway/http/http_body.h"
#include "gateway/http/http_head.h"

namespace mesh::gateway {
namespace {

// Limits that small inputs reach.
constexpr HttpHeadLimits kHead = {64, 48, 128, 6};
constexpr HttpBodyLimits kBody = {256, 12, 4, 3, 16, 32};

void CheckHead(const HttpHead& head) {
  MESH_CHECK(absl::StartsWith(head.path, "/"));
  MESH_CHECK(!absl::StrContains(head.path, "//"));
  MESH_CHECK(head.path.find_first_of(" ?#\r\n") == std::string::npos);
  MESH_CHECK(head.headers.size() <= kHead.max_headers);
  for (const auto& [name, value] : head.headers) {
    MESH_CHECK(!name.empty());
    MESH_CHECK(name.find_first_of(" \t:\r\n") == std::string::npos);
    MESH_CHECK(value.find_first_of("\r\n") == std::string::npos);
    MESH_CHECK(value.find('\0') == std::string::npos);
  }
  const bool has_length = !FindHeader(head.headers, "content-length").empty();
  const bool has_coding =
      !FindHeader(head.headers, "transfer-encoding").empty();
  MESH_CHECK(!(has_length && has_coding));
  MESH_CHECK(has_coding == (head.framing == HttpHead::Framing::kChunked));
}

std::string Describe(const HttpHead& head) {
  std::string text =
      absl::StrCat(head.method, " ", head.path, " ", head.query, " ",
                   head.is_http_1_0, static_cast<int>(head.framing),
                   head.content_length, head.keep_alive, head.expects_continue);
  for (const auto& [name, value] : head.headers) {
    absl::StrAppend(&text, "\n", name, "=", value);
  }
  return text;
}

// One connection's requests, read from pieces of any size.
class Reader {
 public:
  void Feed(absl::string_view bytes) {
    while (!bytes.empty() && !is_over_) {
      const size_t taken = in_body_ ? FeedBody(bytes) : FeedHead(bytes);
      MESH_CHECK(taken <= bytes.size());
      MESH_CHECK(taken > 0);
      num_taken_ += taken;
      bytes.remove_prefix(taken);
    }
  }
  size_t NumTaken() const { return num_taken_; }
  // Everything that was understood, and where it ended.
  std::string Result() const { return absl::StrCat(result_, "@", num_taken_); }

 private:
  size_t FeedHead(absl::string_view bytes) {
    const size_t taken = head_->Feed(bytes);
    MESH_CHECK(!(head_->Done() && head_->Error()));
    if (head_->Error()) return Fail(*head_->Error(), taken);
    if (!head_->Done()) return taken;
    const HttpHead head = head_->Take();
    CheckHead(head);
    absl::StrAppend(&result_, Describe(head), "\n");
    body_.emplace(head, kBody);
    in_body_ = true;
    AfterBody();
    return taken;
  }

  size_t FeedBody(absl::string_view bytes) {
    const size_t taken = body_->Feed(bytes);
    AfterBody();
    return taken;
  }

  void AfterBody() {
    MESH_CHECK(!(body_->Done() && body_->Error()));
    if (body_->Error()) {
      Fail(*body_->Error(), 0);
    } else if (body_->Done()) {
      const std::string body = body_->Take();
      MESH_CHECK(body.size() <= kBody.max_body_bytes);
      absl::StrAppend(&result_, body, "\n");
      head_.emplace(kHead);
      in_body_ = false;
    }
  }

  size_t Fail(const HttpError& error, size_t taken) {
    MESH_CHECK(error.status >= 400 && error.status != 500);
    absl::StrAppend(&result_, error.status, error.code);
    is_over_ = true;
    return taken;
  }

  std::optional<HttpHeadParser> head_{kHead};
  std::optional<HttpBodyParser> body_;
  bool in_body_ = false;
  bool is_over_ = false;
  size_t num_taken_ = 0;
  std::string result_;
};

std::string ReadCut(absl::string_view bytes, size_t at) {
  Reader reader;
  reader.Feed(bytes.substr(0, at));
  reader.Feed(bytes.substr(at));
  return reader.Result();
}

std::string ReadBytewise(absl::string_view bytes) {
  Reader reader;
  for (size_t i = 0; i < bytes.size(); ++i) reader.Feed(bytes.substr(i, 1));
  return reader.Result();
}

// Cuts the bytes in two, everywhere in short inputs and at some places of long
// ones; and into single bytes.
void CheckCuts(absl::string_view bytes) {
  Reader whole;
  whole.Feed(bytes);
  const std::string result = whole.Result();
  MESH_CHECK(ReadBytewise(bytes) == result);
  constexpr size_t kMaxCuts = 64;
  const size_t stride = whole.NumTaken() / kMaxCuts + 1;
  for (size_t at = 1 + bytes.size() % stride; at < whole.NumTaken();
       at += stride) {
    MESH_CHECK(ReadCut(bytes, at) == result);
  }
}

}  // namespace
}  // namespace mesh::gateway

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mesh::gateway::CheckCuts({reinterpret_cast<const char*>(data), size});
  return 0;
}
