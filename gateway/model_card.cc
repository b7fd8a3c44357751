// SPDX-License-Identifier: Apache-2.0
#include "gateway/model_card.h"

#include <cstdint>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/file.h"
#include "core/json.h"
#include "core/status_macros.h"

namespace mesh::gateway {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 20;
constexpr int64_t kMaxVocabSize = int64_t{1} << 24;
constexpr int64_t kMaxPositions = int64_t{1} << 24;

struct JsonFile {
  std::string path;
  Json json;

  absl::Status Error(absl::string_view key, absl::string_view expected) const {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", key, ": expected ", expected));
  }
};

absl::StatusOr<JsonFile> ReadJson(std::string path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  ASSIGN_OR_RETURN(Json json, ParseJson(text, path));
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected an object"));
  }
  return JsonFile{std::move(path), std::move(json)};
}

absl::StatusOr<int> IntOf(const JsonFile& file, const char* key, int64_t most) {
  const auto found = file.json.find(key);
  if (found != file.json.end() && found->is_number_integer()) {
    const auto value = found->get<int64_t>();
    if (value >= 1 && value <= most) return static_cast<int>(value);
  }
  return file.Error(key, absl::StrCat("an integer from 1 to ", most));
}

// A token id, or a list of them; none if absent.
absl::StatusOr<std::vector<TokenId>> EosTokenIds(const JsonFile& file,
                                                 int vocab_size) {
  std::vector<TokenId> ids;
  const auto found = file.json.find("eos_token_id");
  if (found == file.json.end() || found->is_null()) return ids;
  const Json list = found->is_array() ? *found : Json::array({*found});
  for (const Json& id : list) {
    const int64_t value = id.is_number_integer() ? id.get<int64_t>() : -1;
    if (value < 0 || value >= vocab_size) {
      return file.Error("eos_token_id",
                        absl::StrCat("token ids from 0 to ", vocab_size - 1));
    }
    ids.push_back(static_cast<TokenId>(value));
  }
  return ids;
}

absl::StatusOr<std::optional<float>> NumberOf(const JsonFile& file,
                                              const char* key, double most) {
  const auto found = file.json.find(key);
  if (found == file.json.end() || found->is_null()) return std::nullopt;
  const double value = found->is_number() ? found->get<double>() : -1;
  if (!(value >= 0 && value <= most)) {
    return file.Error(key, absl::StrCat("a number from 0 to ", most));
  }
  return static_cast<float>(value);
}

absl::Status ReadGenerationConfig(const std::string& path, ModelCard* card) {
  auto file = ReadJson(path);
  if (absl::IsNotFound(file.status())) return absl::OkStatus();
  RETURN_IF_ERROR(file.status());
  ASSIGN_OR_RETURN(card->temperature, NumberOf(*file, "temperature", 2));
  ASSIGN_OR_RETURN(card->top_p, NumberOf(*file, "top_p", 1));
  if (card->top_p == 0.0F) {
    return file->Error("top_p", "more than 0");
  }
  ASSIGN_OR_RETURN(std::vector<TokenId> ids,
                   EosTokenIds(*file, card->vocab_size));
  if (!ids.empty()) card->eos_token_ids = std::move(ids);
  return absl::OkStatus();
}

std::string FolderName(const std::string& dir) {
  std::filesystem::path path = std::filesystem::path(dir).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const std::string name = path.filename().string();
  return name.empty() || name == "." || name == ".." ? "model" : name;
}

}  // namespace

absl::StatusOr<ModelCard> ReadModelCard(const std::string& dir) {
  auto config = ReadJson(absl::StrCat(dir, "/config.json"));
  if (absl::IsNotFound(config.status())) {
    return absl::NotFoundError(absl::StrCat(
        dir, "/config.json: no such file; expected a model folder"));
  }
  RETURN_IF_ERROR(config.status());
  ModelCard card;
  card.name = FolderName(dir);
  ASSIGN_OR_RETURN(card.vocab_size,
                   IntOf(*config, "vocab_size", kMaxVocabSize));
  ASSIGN_OR_RETURN(card.max_positions,
                   IntOf(*config, "max_position_embeddings", kMaxPositions));
  ASSIGN_OR_RETURN(card.eos_token_ids, EosTokenIds(*config, card.vocab_size));
  RETURN_IF_ERROR(ReadGenerationConfig(
      absl::StrCat(dir, "/generation_config.json"), &card));
  return card;
}

}  // namespace mesh::gateway
