// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_body.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "gateway/http/http_fields.h"

namespace mesh::gateway {
namespace {

constexpr HttpError kTooLarge = {413, "request_too_large",
                                 "the body is too large"};
constexpr HttpError kBadChunk = {
    400, "bad_chunk",
    "a chunk must be a hexadecimal size, CR LF, the data, CR LF"};
constexpr HttpError kTooManyChunks = {
    400, "too_many_chunks",
    "the body comes in too many or too small chunks; send larger ones"};
constexpr HttpError kBadTrailer = {400, "bad_trailer",
                                   "the trailer is malformed or too long"};

// Enough for any size that is allowed, zeros before it included.
constexpr size_t kMaxSizeDigits = 8;

uint64_t HexValue(char byte) {
  if (byte <= '9') return static_cast<uint64_t>(byte - '0');
  const int letter = (byte | 0x20) - 'a';
  return static_cast<uint64_t>(letter) + 10;
}

}  // namespace

HttpBodyParser::HttpBodyParser(const HttpHead& head,
                               const HttpBodyLimits& limits)
    : limits_(limits),
      is_chunked_(head.framing == HttpHead::Framing::kChunked) {
  if (is_chunked_) {
    state_ = State::kSize;
  } else if (head.content_length > limits_.max_body_bytes) {
    Fail(kTooLarge);
  } else if (head.content_length > 0) {
    left_ = head.content_length;
    state_ = State::kData;
  }
}

size_t HttpBodyParser::Feed(absl::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && !Done() && !error_) {
    if (state_ == State::kData) {
      taken += Data(bytes.substr(taken));
    } else {
      Byte(bytes[taken++]);
    }
  }
  return taken;
}

size_t HttpBodyParser::Data(absl::string_view bytes) {
  const auto size =
      static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
  body_.append(bytes.data(), size);
  left_ -= size;
  if (left_ == 0) state_ = is_chunked_ ? State::kDataCr : State::kDone;
  return size;
}

void HttpBodyParser::Byte(char byte) {
  switch (state_) {
    case State::kDataCr:
      return Expect(byte, '\r', State::kDataLf);
    case State::kDataLf:
      return Expect(byte, '\n', State::kSize);
    case State::kSize:
      return SizeByte(byte);
    case State::kExtension:
      if (byte == '\r') {
        state_ = State::kSizeLf;
      } else if (!IsFieldByte(byte) ||
                 ++num_extension_bytes_ > limits_.max_extension_bytes) {
        Fail(kBadChunk);
      }
      return;
    case State::kSizeLf:
      return byte == '\n' ? SizeLine() : Fail(kBadChunk);
    default:
      return TrailerByte(byte);
  }
}

void HttpBodyParser::Expect(char byte, char wanted, State next) {
  if (byte != wanted) return Fail(kBadChunk);
  state_ = next;
}

void HttpBodyParser::SizeByte(char byte) {
  if (absl::ascii_isxdigit(static_cast<unsigned char>(byte))) {
    if (++num_digits_ > kMaxSizeDigits) return Fail(kBadChunk);
    left_ = left_ * 16 + HexValue(byte);
    return;
  }
  if (num_digits_ == 0) return Fail(kBadChunk);
  if (byte == '\r') {
    state_ = State::kSizeLf;
  } else if (byte == ';') {
    state_ = State::kExtension;
  } else {
    Fail(kBadChunk);
  }
}

// The size of a chunk is known.
void HttpBodyParser::SizeLine() {
  num_digits_ = 0;
  num_extension_bytes_ = 0;
  if (left_ == 0) {
    state_ = State::kTrailer;
    return;
  }
  if (left_ > limits_.max_body_bytes - body_.size()) return Fail(kTooLarge);
  ++num_chunks_;
  const uint64_t num_bytes = body_.size() + left_;
  if (num_chunks_ > limits_.max_chunks ||
      (num_chunks_ > limits_.num_free_chunks &&
       num_bytes < num_chunks_ * limits_.min_average_chunk_bytes)) {
    return Fail(kTooManyChunks);
  }
  state_ = State::kData;
}

void HttpBodyParser::TrailerByte(char byte) {
  if (++num_trailer_bytes_ > limits_.max_trailer_bytes) {
    return Fail(kBadTrailer);
  }
  if (state_ == State::kTrailerLf) {
    if (byte != '\n') return Fail(kBadTrailer);
    // An empty line is the end.
    state_ = num_line_bytes_ == 0 ? State::kDone : State::kTrailer;
    num_line_bytes_ = 0;
    return;
  }
  if (byte == '\r') {
    state_ = State::kTrailerLf;
  } else if (IsFieldByte(byte)) {
    ++num_line_bytes_;
  } else {
    Fail(kBadTrailer);
  }
}

}  // namespace mesh::gateway
