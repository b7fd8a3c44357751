// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_output.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <vector>

namespace mesh::gateway {
namespace {

// What one call to the kernel gathers.
constexpr size_t kMaxBuffers = 16;

}  // namespace

void HttpOutput::Send(std::string bytes, Done done) {
  if (pieces_.empty()) last_progress_ = Clock::now();
  pieces_.push_back({std::move(bytes), std::move(done)});
  if (writing_) return;
  if (closed_) {
    io_->Post([self = shared_from_this()] { self->FailAll(); });
  } else {
    WriteSome();
  }
}

void HttpOutput::WriteSome() {
  std::vector<boost::asio::const_buffer> buffers;
  buffers.reserve(std::min(pieces_.size(), kMaxBuffers));
  for (const Piece& piece : pieces_) {
    if (buffers.size() == kMaxBuffers) break;
    const size_t skipped = buffers.empty() ? offset_ : 0;
    buffers.emplace_back(piece.bytes.data() + skipped,
                         piece.bytes.size() - skipped);
  }
  writing_ = true;
  stream_.WriteSome(
      buffers, [self = shared_from_this()](
                   const boost::system::error_code& error, size_t num_bytes) {
        self->OnWritten(error, num_bytes);
      });
}

void HttpOutput::OnWritten(const boost::system::error_code& error,
                           size_t num_bytes) {
  writing_ = false;
  if (error || closed_) {
    if (!closed_) End(false);
    return FailAll();
  }
  if (num_bytes > 0) last_progress_ = Clock::now();
  std::vector<Done> sent;
  offset_ += num_bytes;
  while (!pieces_.empty() && offset_ >= pieces_.front().bytes.size()) {
    offset_ -= pieces_.front().bytes.size();
    if (pieces_.front().done) sent.push_back(std::move(pieces_.front().done));
    pieces_.pop_front();
  }
  if (!pieces_.empty()) WriteSome();
  for (const Done& done : sent) done(true);
}

void HttpOutput::End(bool reset) {
  if (closed_) return;
  closed_ = true;
  reset ? stream_.Reset() : stream_.Close();
  // A write that is outstanding still uses the bytes.
  if (!writing_) io_->Post([self = shared_from_this()] { self->FailAll(); });
}

void HttpOutput::FailAll() {
  offset_ = 0;
  std::deque<Piece> failed = std::move(pieces_);
  pieces_.clear();
  for (const Piece& piece : failed) {
    if (piece.done) piece.done(false);
  }
}

}  // namespace mesh::gateway
