// SPDX-License-Identifier: Apache-2.0
// docs/api.md says what the code does.
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "gateway/openai/request_limits.h"
#include "gateway/openai/sampling_fields.h"
#include "tests/gateway/openai/openai_fixture.h"

namespace mesh::gateway {
namespace {

std::string Read(const std::string& path) {
  const auto text =
      ReadFile(absl::StrCat(MESH_SOURCE_DIR, "/", path), size_t{1} << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

const std::string& Page() {
  static const auto* const page = new std::string(Read("docs/api.md"));
  return *page;
}

void ExpectOnPage(const std::string& text) {
  EXPECT_TRUE(absl::StrContains(Page(), text)) << "docs/api.md lacks " << text;
}

std::string RowOf(const IntField& field) {
  return absl::StrCat("| `", field.name, "` | integer | ",
                      field.most == kMaxInt32
                          ? absl::StrCat("at least ", field.least)
                          : absl::StrCat(field.least, " to ", field.most),
                      " |");
}

std::string RowOf(const RealField& field) {
  return absl::StrCat(
      "| `", field.name, "` | number | ",
      field.above_least
          ? absl::StrCat("more than ", field.least, ", at most ", field.most)
          : absl::StrCat(field.least, " to ", field.most),
      " |");
}

std::string RowOf(const TextField& field) {
  return absl::StrCat("| `", field.name, "` | string | ", field.min_bytes,
                      " to ", field.max_bytes, " bytes |");
}

using ApiDoc = OpenAiTest;

TEST_F(ApiDoc, EveryRouteIsThere) {
  Serve();
  for (const std::string& route : routes_.List()) {
    ExpectOnPage(absl::StrCat("`", route, "`"));
  }
}

TEST_F(ApiDoc, EveryRangeIsThere) {
  for (const IntField& field :
       {kMaxTokensField, kMaxCompletionTokensField, kNField, kTopLogprobsField,
        kCompletionLogprobsField, kTopKField, kPriorityField}) {
    ExpectOnPage(RowOf(field));
  }
  for (const RealField& field :
       {kTemperatureField, kTopPField, kMinPField, kPresencePenaltyField,
        kFrequencyPenaltyField, kRepetitionPenaltyField}) {
    ExpectOnPage(RowOf(field));
  }
  for (const TextField& field :
       {kModelField, kUserField, kCacheSaltField, kRequestIdField}) {
    ExpectOnPage(RowOf(field));
  }
  ExpectOnPage(absl::StrCat("| 1 to ", kMaxChatMessages, " messages |"));
  ExpectOnPage(absl::StrCat("at most ", kMaxContentParts, " parts"));
  ExpectOnPage(absl::StrCat("at most ", kMaxLogitBiasEntries,
                            " entries; values ", kLogitBiasValue.least, " to ",
                            kLogitBiasValue.most, " |"));
  ExpectOnPage(absl::StrCat("at most ", kMaxStops, ", 1 to ", kMaxStopBytes,
                            " bytes each"));
  ExpectOnPage(absl::StrCat("at most ", kMaxStopTokenIds, " token ids"));
  ExpectOnPage(absl::StrCat("at most ", kMaxMetadataEntries,
                            " entries; keys to ", kMaxMetadataKeyBytes,
                            " bytes, values strings to ",
                            kMaxMetadataValueBytes));
  ExpectOnPage(absl::StrCat("at most ", kMaxChoices, " prompts, and ",
                            kMaxChoices, " choices in all"));
  ExpectOnPage(absl::StrCat("| `max_tokens` | integer | at least 1 | ",
                            kDefaultCompletionTokens, " |"));
  ExpectOnPage(absl::StrCat(
      kRequestJsonLimits.max_depth, " levels, ", kRequestJsonLimits.max_keys,
      " keys in an object, ", kRequestJsonLimits.max_string_bytes >> 20,
      " MiB for a string, ", kRequestJsonLimits.max_number_chars,
      " characters for a number"));
  const GenerationContext defaults = Context();
  ExpectOnPage(absl::StrCat(defaults.max_unread_bytes >> 10, " KiB wait"));
  EXPECT_EQ(defaults.default_deadline, absl::Milliseconds(600000));
}

// Whatever a parser looks for.
TEST_F(ApiDoc, EveryFieldIsThere) {
  const std::regex pattern(
      R"re((?:Field\{|kKey = |kPrompt = |kBestOf\{|Find\(|Require\(|ReadBool\(|ReadText\()"([a-z_]+)")re");
  std::set<std::string> names;
  for (const char* path :
       {"chat_request.cc", "completion_request.cc", "request_fields.cc",
        "request_limits.h", "sampling_fields.cc", "tokenize_request.cc"}) {
    const std::string source = Read(absl::StrCat("gateway/openai/", path));
    for (std::sregex_iterator match(source.begin(), source.end(), pattern), end;
         match != end; ++match) {
      names.insert((*match)[1]);
    }
  }
  EXPECT_GT(names.size(), 40U);
  for (const absl::string_view name : UnsupportedFields()) {
    names.emplace(name);
  }
  for (const std::string& name : names) {
    // Those are explained where the object or the part is.
    if (name == "type" || name == "text") continue;
    ExpectOnPage(absl::StrCat("`", name, "`"));
  }
}

TEST_F(ApiDoc, EveryCodeIsThere) {
  const std::regex pattern(
      R"re((?:InvalidField\([^;]*?|Error\(|code = )"([a-z]+(?:_[a-z0-9]+)+)")re");
  std::set<std::string> codes;
  for (const char* path :
       {"gateway/strict_json.cc", "gateway/generation_request.cc",
        "gateway/http_routes.cc", "gateway/openai/chat_request.cc",
        "gateway/openai/completion_request.cc",
        "gateway/openai/request_fields.cc",
        "gateway/openai/sampling_fields.cc"}) {
    const std::string source = Read(path);
    for (std::sregex_iterator match(source.begin(), source.end(), pattern), end;
         match != end; ++match) {
      codes.insert((*match)[1]);
    }
  }
  EXPECT_GT(codes.size(), 10U);
  // Of InvalidField, before its code; two are fields of gRPC's requests.
  const std::set<std::string> fields = {"max_tokens", "prompt_logprobs",
                                        "token_ids"};
  for (const std::string& code : codes) {
    if (fields.contains(code)) continue;
    ExpectOnPage(absl::StrCat("`", code, "`"));
  }
  for (int code = 1; code <= 16; ++code) {
    const auto status_code = static_cast<absl::StatusCode>(code);
    if (status_code == absl::StatusCode::kCancelled) continue;  // for logs
    const Json error =
        ErrorOf(ErrorResponse(absl::Status(status_code, "message")));
    ExpectOnPage(absl::StrCat("`", error["code"].get<std::string>(), "`"));
    ExpectOnPage(
        absl::StrCat("| ", HttpStatusOf(absl::Status(status_code, "message")),
                     " | `", error["type"].get<std::string>(), "` |"));
  }
}

}  // namespace
}  // namespace mesh::gateway
