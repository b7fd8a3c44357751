// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_model.h"

#include <sys/stat.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "core/file.h"
#include "core/json.h"
#include "core/status_macros.h"
#include "gateway/ollama/ollama_time.h"
#include "gateway/openai/json_text.h"

namespace mesh::gateway {
namespace {

constexpr size_t kMaxConfigBytes = size_t{16} << 20;
constexpr absl::string_view kLatest = ":latest";

std::string TextOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>()
                                                     : "";
}

std::string QuantizationOf(const Json& config) {
  const auto found = config.find("quantization_config");
  if (found != config.end() && found->is_object()) {
    return absl::AsciiStrToUpper(TextOf(*found, "quant_method"));
  }
  const std::string type = TextOf(config, "torch_dtype");
  if (type == "bfloat16") return "BF16";
  if (type == "float32") return "F32";
  return absl::AsciiStrToUpper(type);
}

int64_t WeightBytes(const std::string& dir) {
  int64_t num_bytes = 0;
  std::error_code error;
  for (auto file = std::filesystem::directory_iterator(dir, error);
       !error && file != std::filesystem::directory_iterator();
       file.increment(error)) {
    if (file->path().extension() != ".safetensors") continue;
    std::error_code unreadable;
    const uintmax_t size = file->file_size(unreadable);
    if (!unreadable) num_bytes += static_cast<int64_t>(size);
  }
  return num_bytes;
}

void AppendDetails(const OllamaModelFacts& facts, std::string* out) {
  std::string family;
  AppendJsonString(facts.family, &family);
  absl::StrAppend(
      out, R"("details":{"parent_model":"","format":"safetensors","family":)",
      family, R"(,"families":[)", family,
      R"(],"parameter_size":"","quantization_level":)");
  AppendJsonString(facts.quantization, out);
  out->push_back('}');
}

// The model's own parameters, one a line, as Ollama aligns them.
std::string ParametersOf(const ModelCard& card) {
  std::string text;
  const auto add = [&text](const char* name, float value) {
    absl::StrAppendFormat(&text, "%s%-30s %g", text.empty() ? "" : "\n", name,
                          value);
  };
  if (card.temperature) add("temperature", *card.temperature);
  if (card.top_p) add("top_p", *card.top_p);
  return text;
}

bool CanThink(const ServedModel& model) {
  const ChatMessage question{Role::kUser, "?", ""};
  return model.chat_template.HasModes() ||
         model.chat_template.Render({&question, 1}, {}).starts_in_reasoning;
}

}  // namespace

absl::StatusOr<OllamaModelFacts> ReadOllamaModelFacts(const std::string& dir) {
  const std::string path = absl::StrCat(dir, "/config.json");
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxConfigBytes));
  ASSIGN_OR_RETURN(const Json config, ParseJson(text, path));
  if (!config.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a JSON object"));
  }
  OllamaModelFacts facts;
  facts.family = TextOf(config, "model_type");
  facts.quantization = QuantizationOf(config);
  facts.num_bytes = WeightBytes(dir);
  struct stat status = {};
  if (stat(path.c_str(), &status) == 0) {
    facts.modified = absl::FromUnixSeconds(status.st_mtime);
  }
  return facts;
}

std::string OllamaName(absl::string_view name) {
  return absl::StrCat(name, name.find(':') == name.npos ? kLatest : "");
}

absl::string_view WithoutLatestTag(absl::string_view name) {
  return absl::StripSuffix(name, kLatest);
}

void AppendOllamaModel(absl::string_view name, const OllamaModelFacts& facts,
                       absl::string_view digest, std::string* out) {
  std::string tagged;
  AppendJsonString(OllamaName(name), &tagged);
  absl::StrAppend(out, R"({"name":)", tagged, R"(,"model":)", tagged,
                  R"(,"modified_at":")", OllamaTime(facts.modified),
                  R"(","size":)", facts.num_bytes, R"(,"digest":")", digest,
                  "\",");
  AppendDetails(facts, out);
}

std::string OllamaShowBody(const ServedModel& model,
                           const OllamaModelFacts& facts, int max_positions) {
  std::string body = R"({"modelfile":"","parameters":)";
  AppendJsonString(ParametersOf(model.card), &body);
  absl::StrAppend(&body, R"(,"template":)");
  AppendJsonString(model.tokenizer->Config().chat_template.value_or(""), &body);
  body.push_back(',');
  AppendDetails(facts, &body);
  std::string context_key;
  AppendJsonString(absl::StrCat(facts.family, ".context_length"), &context_key);
  std::string vocabulary_key;
  AppendJsonString(absl::StrCat(facts.family, ".vocab_size"), &vocabulary_key);
  absl::StrAppend(&body, R"(,"model_info":{"general.architecture":)");
  AppendJsonString(facts.family, &body);
  absl::StrAppend(&body, ",", context_key, ":", max_positions, ",",
                  vocabulary_key, ":", model.card.vocab_size,
                  R"(},"capabilities":["completion")",
                  CanThink(model) ? R"(,"thinking")" : "",
                  R"(],"modified_at":")", OllamaTime(facts.modified), "\"}");
  return body;
}

}  // namespace mesh::gateway
