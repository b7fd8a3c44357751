// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/request_fields.h"

#include <cmath>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

absl::Status ValueError(const std::string& path, absl::string_view got,
                        absl::string_view expected) {
  return InvalidField(path, "invalid_value",
                      absl::StrCat(path, " is ", got, ", expected ", expected));
}

std::string RangeOf(const RealField& field) {
  return field.above_least ? absl::StrCat("more than ", field.least,
                                          " and at most ", field.most)
                           : absl::StrCat(field.least, " to ", field.most);
}

}  // namespace

std::string QuotedText(absl::string_view text) {
  constexpr size_t kMaxBytes = 64;
  return absl::StrCat("'", absl::CEscape(text.substr(0, kMaxBytes)),
                      text.size() > kMaxBytes ? "..." : "", "'");
}

absl::Status WrongTypeError(const std::string& path, const Json& value,
                            absl::string_view expected) {
  return InvalidField(
      path, "invalid_type",
      absl::StrCat(path.empty() ? "the body" : path, " is ",
                   JsonTypeName(value), ", expected ", expected));
}

std::optional<int64_t> IntegerOf(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return std::nullopt;
    }
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  constexpr double kMostExact = 9007199254740992.0;  // 2^53
  const auto real = value.get<double>();
  if (std::abs(real) > kMostExact || real != std::trunc(real)) {
    return std::nullopt;
  }
  return static_cast<int64_t>(real);
}

absl::StatusOr<std::vector<TokenId>> TokenIdsOf(const Json& value,
                                                const std::string& path,
                                                size_t max_ids) {
  if (!value.is_array()) {
    return WrongTypeError(path, value, "an array of token ids");
  }
  if (value.size() > max_ids) {
    return ValueError(path, absl::StrCat("an array of ", value.size()),
                      absl::StrCat("at most ", max_ids, " token ids"));
  }
  std::vector<TokenId> ids;
  ids.reserve(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    const std::string item = absl::StrCat(path, "[", i, "]");
    if (!value[i].is_number()) {
      return WrongTypeError(item, value[i], "a token id");
    }
    const std::optional<int64_t> id = IntegerOf(value[i]);
    if (!id.has_value() || *id < 0 || *id > kMaxInt32) {
      return InvalidField(
          item, "token_out_of_range",
          absl::StrCat(item, " is ", value[i].dump(), ", expected a token id"));
    }
    ids.push_back(static_cast<TokenId>(*id));
  }
  return ids;
}

absl::StatusOr<Json> RequestFields::ParseBody(absl::string_view body) {
  ASSIGN_OR_RETURN(Json json, ParseStrictJson(body, kRequestJsonLimits));
  if (json.is_object()) return json;
  return InvalidField("", "invalid_json",
                      absl::StrCat("the body is ", JsonTypeName(json),
                                   ", expected a JSON object"));
}

absl::StatusOr<RequestFields> RequestFields::From(const Json& object,
                                                  std::string path) {
  if (!object.is_object()) return WrongTypeError(path, object, "an object");
  return RequestFields(object, std::move(path));
}

const Json* RequestFields::Find(absl::string_view key) const {
  const auto found = object_->find(std::string(key));
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<const Json*> RequestFields::Require(
    absl::string_view key) const {
  if (const Json* value = Find(key)) return value;
  const std::string path = PathOf(key);
  return InvalidField(path, "missing_field",
                      absl::StrCat("the field ", path, " is missing"));
}

std::string RequestFields::PathOf(absl::string_view key) const {
  return path_.empty() ? std::string(key) : absl::StrCat(path_, ".", key);
}

absl::Status RequestFields::WrongType(absl::string_view key,
                                      absl::string_view expected) const {
  return WrongTypeError(PathOf(key), *Find(key), expected);
}

absl::Status RequestFields::WrongValue(absl::string_view key,
                                       absl::string_view got,
                                       absl::string_view expected) const {
  return ValueError(PathOf(key), got, expected);
}

absl::Status RequestFields::Unsupported(absl::string_view key,
                                        absl::string_view what) const {
  const std::string path = PathOf(key);
  return InvalidField(path, "unsupported_parameter",
                      absl::StrCat(path, " is not supported here: ", what));
}

absl::Status RequestFields::ReadBool(absl::string_view key, bool* value) const {
  std::optional<bool> read;
  RETURN_IF_ERROR(ReadBool(key, &read));
  *value = read.value_or(*value);
  return absl::OkStatus();
}

absl::Status RequestFields::ReadBool(absl::string_view key,
                                     std::optional<bool>* value) const {
  const Json* found = Find(key);
  if (found == nullptr) return absl::OkStatus();
  if (!found->is_boolean()) return WrongType(key, "a boolean");
  *value = found->get<bool>();
  return absl::OkStatus();
}

absl::Status RequestFields::Read(const IntField& field,
                                 std::optional<int64_t>* value) const {
  const Json* found = Find(field.name);
  if (found == nullptr) return absl::OkStatus();
  if (!found->is_number()) return WrongType(field.name, "an integer");
  const std::optional<int64_t> number = IntegerOf(*found);
  if (!number.has_value() || *number < field.least || *number > field.most) {
    return WrongValue(
        field.name, found->dump(),
        absl::StrCat("an integer from ", field.least, " to ", field.most));
  }
  *value = number;
  return absl::OkStatus();
}

absl::Status RequestFields::Read(const RealField& field,
                                 std::optional<float>* value) const {
  const Json* found = Find(field.name);
  if (found == nullptr) return absl::OkStatus();
  if (!found->is_number()) return WrongType(field.name, "a number");
  const auto number = found->get<double>();
  const auto narrow = static_cast<float>(number);
  // What is above the bound must be so as a float as well.
  if (number < field.least || number > field.most ||
      (field.above_least && narrow <= static_cast<float>(field.least))) {
    return WrongValue(field.name, found->dump(), RangeOf(field));
  }
  *value = narrow;
  return absl::OkStatus();
}

absl::Status RequestFields::Read(const TextField& field,
                                 std::string* value) const {
  const Json* found = Find(field.name);
  if (found == nullptr) return absl::OkStatus();
  if (!found->is_string()) return WrongType(field.name, "a string");
  const auto& text = found->get_ref<const std::string&>();
  if (text.size() < field.min_bytes || text.size() > field.max_bytes) {
    return WrongValue(field.name, absl::StrCat(text.size(), " bytes long"),
                      absl::StrCat(field.min_bytes, " to ", field.max_bytes));
  }
  *value = text;
  return absl::OkStatus();
}

absl::Status RequestFields::ReadText(absl::string_view key,
                                     std::string* value) const {
  const Json* found = Find(key);
  if (found == nullptr) return absl::OkStatus();
  if (!found->is_string()) return WrongType(key, "a string");
  *value = found->get_ref<const std::string&>();
  return absl::OkStatus();
}

absl::Status RequestFields::ReadSeed(std::optional<uint64_t>* seed) const {
  const Json* found = Find("seed");
  if (found == nullptr) return absl::OkStatus();
  if (!found->is_number()) return WrongType("seed", "an integer");
  if (found->is_number_unsigned()) {
    *seed = found->get<uint64_t>();
    return absl::OkStatus();
  }
  const std::optional<int64_t> number = IntegerOf(*found);
  if (!number.has_value()) {
    return WrongValue("seed", found->dump(), "an integer of 64 bits");
  }
  *seed = static_cast<uint64_t>(*number);
  return absl::OkStatus();
}

}  // namespace mesh::gateway
