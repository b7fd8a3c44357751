// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/ids.h"
#include "core/json.h"
#include "gateway/openai/request_limits.h"

namespace mesh::gateway {

// An object of a request and where it stands in it, so that every error names
// the field. A null value counts as absent. Errors, as of all below:
// kInvalidArgument with the field's path and a code: missing_field,
// invalid_type, invalid_value. What is absent leaves the target as it is.
class RequestFields {
 public:
  // The whole body: a JSON object. Errors: those of ParseStrictJson as well.
  static absl::StatusOr<Json> ParseBody(absl::string_view body);

  // `path` is "" for the body itself. `object` outlives this. Errors: it is
  // something else.
  static absl::StatusOr<RequestFields> From(const Json& object,
                                            std::string path);

  // Null if it is absent.
  const Json* Find(absl::string_view key) const;
  absl::StatusOr<const Json*> Require(absl::string_view key) const;
  std::string PathOf(absl::string_view key) const;

  absl::Status ReadBool(absl::string_view key, bool* value) const;
  absl::Status ReadBool(absl::string_view key,
                        std::optional<bool>* value) const;
  // 1.0 is an integer as well.
  absl::Status Read(const IntField& field, std::optional<int64_t>* value) const;
  absl::Status Read(const RealField& field, std::optional<float>* value) const;
  absl::Status Read(const TextField& field, std::string* value) const;
  // Of any length.
  absl::Status ReadText(absl::string_view key, std::string* value) const;
  // Any integer of 64 bits; a negative one stands for its two's complement.
  absl::Status ReadSeed(std::optional<uint64_t>* seed) const;

  absl::Status WrongType(absl::string_view key,
                         absl::string_view expected) const;
  absl::Status WrongValue(absl::string_view key, absl::string_view got,
                          absl::string_view expected) const;
  // The field is known, but not served.
  absl::Status Unsupported(absl::string_view key, absl::string_view what) const;

 private:
  RequestFields(const Json& object, std::string path)
      : object_(&object), path_(std::move(path)) {}

  const Json* object_;
  std::string path_;
};

absl::Status WrongTypeError(const std::string& path, const Json& value,
                            absl::string_view expected);

// The integer that `value` is, if it is one of 64 bits.
std::optional<int64_t> IntegerOf(const Json& value);

// An array of token ids, at most `max_ids`. Errors: as above, and
// token_out_of_range for what no vocabulary has.
absl::StatusOr<std::vector<TokenId>> TokenIdsOf(const Json& value,
                                                const std::string& path,
                                                size_t max_ids);

// A client's text as it may stand in a one-line message.
std::string QuotedText(absl::string_view text);

}  // namespace mesh::gateway
