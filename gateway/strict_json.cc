// SPDX-License-Identifier: Apache-2.0
#include "gateway/strict_json.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/charconv.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"
#include "gateway/utf8.h"

namespace mesh::gateway {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

void AppendUtf8(char32_t code_point, std::string* out) {
  const auto add = [out](char32_t byte) {
    out->push_back(static_cast<char>(byte));
  };
  if (code_point < 0x80) {
    add(code_point);
  } else if (code_point < 0x800) {
    add(0xC0 | (code_point >> 6));
    add(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    add(0xE0 | (code_point >> 12));
    add(0x80 | ((code_point >> 6) & 0x3F));
    add(0x80 | (code_point & 0x3F));
  } else {
    add(0xF0 | (code_point >> 18));
    add(0x80 | ((code_point >> 12) & 0x3F));
    add(0x80 | ((code_point >> 6) & 0x3F));
    add(0x80 | (code_point & 0x3F));
  }
}

// Recursive descent, no deeper than the limit.
class Reader {
 public:
  Reader(absl::string_view text, const StrictJsonLimits& limits)
      : text_(text), limits_(limits) {}

  absl::StatusOr<Json> ReadAll() {
    if (absl::StartsWith(text_, kByteOrderMark)) at_ = kByteOrderMark.size();
    Json value;
    RETURN_IF_ERROR(ReadValue(&value));
    SkipSpace();
    if (at_ < text_.size()) return Unexpected("the end of the text");
    return value;
  }

 private:
  absl::Status Error(absl::string_view code, absl::string_view what) const {
    return InvalidField("", code,
                        absl::StrCat("the JSON text at byte ", at_, " ", what));
  }
  absl::Status Unexpected(absl::string_view expected) const {
    return Error("invalid_json",
                 absl::StrCat(at_ < text_.size() ? "is not right" : "ends",
                              ", expected ", expected));
  }

  void SkipSpace() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' ||
                                  text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  bool NextIs(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool Take(char c) {
    if (!NextIs(c)) return false;
    ++at_;
    return true;
  }

  absl::Status ReadValue(Json* value) {
    SkipSpace();
    if (at_ == text_.size()) return Unexpected("a value");
    switch (text_[at_]) {
      case '{':
        return ReadObject(value);
      case '[':
        return ReadArray(value);
      case '"': {
        std::string string;
        RETURN_IF_ERROR(ReadString(&string));
        *value = std::move(string);
        return absl::OkStatus();
      }
      case 't':
        return ReadWord("true", true, value);
      case 'f':
        return ReadWord("false", false, value);
      case 'n':
        return ReadWord("null", nullptr, value);
      default:
        return ReadNumber(value);
    }
  }

  absl::Status ReadWord(absl::string_view word, Json meaning, Json* value) {
    if (!absl::StartsWith(text_.substr(at_), word)) {
      return Unexpected("a value");
    }
    at_ += word.size();
    *value = std::move(meaning);
    return absl::OkStatus();
  }

  absl::Status Open() {
    if (++depth_ > limits_.max_depth) {
      return Error("too_deep", absl::StrCat("is nested deeper than ",
                                            limits_.max_depth, " levels"));
    }
    ++at_;
    SkipSpace();
    return absl::OkStatus();
  }

  absl::Status ReadArray(Json* value) {
    RETURN_IF_ERROR(Open());
    *value = Json::array();
    auto& items = value->get_ref<Json::array_t&>();
    if (!NextIs(']')) {
      do {
        items.emplace_back();
        RETURN_IF_ERROR(ReadValue(&items.back()));
        SkipSpace();
      } while (Take(','));
    }
    if (!Take(']')) return Unexpected("',' or ']'");
    --depth_;
    return absl::OkStatus();
  }

  absl::Status ReadObject(Json* value) {
    RETURN_IF_ERROR(Open());
    *value = Json::object();
    auto& fields = value->get_ref<Json::object_t&>();
    absl::flat_hash_set<std::string> keys;
    if (!NextIs('}')) {
      do {
        std::string key;
        RETURN_IF_ERROR(ReadKey(keys, &key));
        // The container itself would look for the key once more.
        fields.emplace_back(std::move(key), Json());
        RETURN_IF_ERROR(ReadValue(&fields.back().second));
        SkipSpace();
      } while (Take(','));
    }
    if (!Take('}')) return Unexpected("',' or '}'");
    --depth_;
    return absl::OkStatus();
  }

  absl::Status ReadKey(absl::flat_hash_set<std::string>& keys,
                       std::string* key) {
    SkipSpace();
    if (!NextIs('"')) return Unexpected("a key in double quotes");
    if (keys.size() == limits_.max_keys) {
      return Error("too_many_keys", absl::StrCat("has an object of more than ",
                                                 limits_.max_keys, " keys"));
    }
    const size_t begin = at_;
    RETURN_IF_ERROR(ReadString(key));
    if (!keys.insert(*key).second) {
      at_ = begin;
      return Error("duplicate_key", "repeats a key of its object");
    }
    SkipSpace();
    if (!Take(':')) return Unexpected("':'");
    return absl::OkStatus();
  }

  absl::Status ReadString(std::string* string) {
    const size_t begin = at_;
    ++at_;
    while (!Take('"')) {
      if (at_ == text_.size()) return Unexpected("'\"'");
      if (NextIs('\\')) {
        RETURN_IF_ERROR(ReadEscape(string));
      } else {
        RETURN_IF_ERROR(ReadPlain(string));
      }
      if (string->size() > limits_.max_string_bytes) {
        at_ = begin;
        return Error("string_too_long",
                     absl::StrCat("has a string of more than ",
                                  limits_.max_string_bytes, " bytes"));
      }
    }
    return absl::OkStatus();
  }

  // At least one character, up to one that means something.
  absl::Status ReadPlain(std::string* string) {
    const size_t begin = at_;
    const size_t end =
        std::min(text_.size(), begin + limits_.max_string_bytes + 4);
    while (at_ < end && text_[at_] != '"' && text_[at_] != '\\') {
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte < 0x20) {
        return Error("invalid_json",
                     "has a control character in a string, expected an escape");
      }
      if (byte < 0x80) {
        ++at_;
        continue;
      }
      const Utf8Char next = ReadUtf8(text_.substr(at_));
      if (next.kind != Utf8Char::Kind::kValid) {
        return Error("invalid_utf8", "is not UTF-8");
      }
      at_ += static_cast<size_t>(next.num_bytes);
    }
    string->append(text_.data() + begin, at_ - begin);
    return absl::OkStatus();
  }

  absl::Status ReadEscape(std::string* string) {
    constexpr absl::string_view kEscapes = "\"\\/bfnrtu";
    constexpr absl::string_view kMeanings = "\"\\/\b\f\n\r\t";
    ++at_;
    if (at_ == text_.size()) return Unexpected("an escape");
    const size_t which = kEscapes.find(text_[at_]);
    if (which == absl::string_view::npos) return Unexpected("an escape");
    ++at_;
    if (which < kMeanings.size()) {
      string->push_back(kMeanings[which]);
      return absl::OkStatus();
    }
    return ReadCodePoint(string);
  }

  absl::Status ReadCodePoint(std::string* string) {
    const size_t begin = at_ - 2;
    const auto lone = [&] {
      at_ = begin;
      return Error("invalid_utf8", "is half of a surrogate pair");
    };
    char32_t unit = 0;
    RETURN_IF_ERROR(ReadHex4(&unit));
    if (unit >= 0xDC00 && unit < 0xE000) return lone();
    if (unit >= 0xD800 && unit < 0xDC00) {
      char32_t low = 0;
      if (!absl::StartsWith(text_.substr(at_), "\\u")) return lone();
      at_ += 2;
      RETURN_IF_ERROR(ReadHex4(&low));
      if (low < 0xDC00 || low >= 0xE000) return lone();
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    AppendUtf8(unit, string);
    return absl::OkStatus();
  }

  absl::Status ReadHex4(char32_t* unit) {
    for (int i = 0; i < 4; ++i) {
      if (at_ == text_.size() ||
          !absl::ascii_isxdigit(static_cast<unsigned char>(text_[at_]))) {
        return Unexpected("four hexadecimal digits");
      }
      const char c =
          absl::ascii_tolower(static_cast<unsigned char>(text_[at_]));
      *unit = *unit * 16 +
              static_cast<char32_t>(IsDigit(c) ? c - '0' : c - 'a' + 10);
      ++at_;
    }
    return absl::OkStatus();
  }

  size_t SkipDigits() {
    const size_t begin = at_;
    while (at_ < text_.size() && IsDigit(text_[at_])) ++at_;
    return at_ - begin;
  }

  absl::Status ReadNumber(Json* value) {
    const size_t begin = at_;
    Take('-');
    if (at_ == text_.size() || !IsDigit(text_[at_])) {
      at_ = begin;
      return Unexpected("a value");
    }
    if (!Take('0')) SkipDigits();
    bool is_whole = true;
    if (Take('.')) {
      is_whole = false;
      if (SkipDigits() == 0) return Unexpected("a digit");
    }
    if (NextIs('e') || NextIs('E')) {
      is_whole = false;
      ++at_;
      if (!Take('+')) Take('-');
      if (SkipDigits() == 0) return Unexpected("a digit");
    }
    const absl::string_view number = text_.substr(begin, at_ - begin);
    const bool fits = number.size() <= limits_.max_number_chars &&
                      SetNumber(number, is_whole, value);
    if (fits) return absl::OkStatus();
    at_ = begin;
    return Error(
        "number_out_of_range",
        absl::StrCat("has a number that does not fit, expected at most ",
                     limits_.max_number_chars,
                     " characters and a size of at most 1e308"));
  }

  static bool SetNumber(absl::string_view number, bool is_whole, Json* value) {
    uint64_t natural = 0;
    int64_t whole = 0;
    if (is_whole && absl::SimpleAtoi(number, &natural)) {
      *value = natural;
      return true;
    }
    if (is_whole && absl::SimpleAtoi(number, &whole)) {
      *value = whole;
      return true;
    }
    double real = 0;
    // Too small a number is a zero; too large a one is refused.
    absl::from_chars(number.data(), number.data() + number.size(), real);
    if (!std::isfinite(real) || std::abs(real) > 1e308) return false;
    *value = real;
    return true;
  }

  const absl::string_view text_;
  const StrictJsonLimits& limits_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<Json> ParseStrictJson(absl::string_view text,
                                     const StrictJsonLimits& limits) {
  return Reader(text, limits).ReadAll();
}

}  // namespace mesh::gateway
