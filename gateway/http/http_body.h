// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "gateway/http/http_error.h"
#include "gateway/http/http_head.h"

namespace mesh::gateway {

struct HttpBodyLimits {
  size_t max_body_bytes = 4 << 20;
  // Small pieces cost more than they bring.
  size_t max_chunks = 4096;
  size_t min_average_chunk_bytes = 64;  // counts after num_free_chunks
  size_t num_free_chunks = 64;
  size_t max_extension_bytes = 256;  // of one chunk
  size_t max_trailer_bytes = 4 << 10;
};

// Reads the body of one request as its bytes arrive, whole or in chunks (RFC
// 9112, 7.1); strict. Extensions and trailers are read over. What comes out is
// the same however the bytes are cut. Pure.
class HttpBodyParser {
 public:
  // Has an Error() at once if the head announces too much.
  explicit HttpBodyParser(const HttpHead& head,
                          const HttpBodyLimits& limits = {});

  // Takes bytes up to the end of the body, or up to the one that is wrong;
  // returns how many. Not to be called when it is Done() or has an Error().
  size_t Feed(absl::string_view bytes);

  bool Done() const { return state_ == State::kDone && !error_; }
  const std::optional<HttpError>& Error() const { return error_; }

  // REQUIRES: Done().
  std::string Take() { return std::move(body_); }

 private:
  // Where in the body the next byte is.
  enum class State {
    kData,       // left_ bytes of it
    kDataCr,     // behind a chunk's data
    kDataLf,     //
    kSize,       // in the hexadecimal digits
    kExtension,  // behind the ';'
    kSizeLf,     //
    kTrailer,    // in a line behind the last chunk
    kTrailerLf,  //
    kDone,
  };

  size_t Data(absl::string_view bytes);
  void Byte(char byte);
  void SizeByte(char byte);
  void SizeLine();
  void TrailerByte(char byte);
  void Expect(char byte, char wanted, State next);
  void Fail(const HttpError& error) { error_ = error; }

  const HttpBodyLimits limits_;
  const bool is_chunked_;
  State state_ = State::kDone;
  uint64_t left_ = 0;  // of the chunk, or of the whole body
  size_t num_digits_ = 0;
  size_t num_chunks_ = 0;
  size_t num_extension_bytes_ = 0;
  size_t num_trailer_bytes_ = 0;
  size_t num_line_bytes_ = 0;  // of the trailer's line
  std::string body_;
  std::optional<HttpError> error_;
};

}  // namespace mesh::gateway
