// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_exchange.h"

#include <utility>

#include "gateway/http/http_error.h"

namespace mesh::gateway {
namespace {

constexpr HttpError kNoAnswer = {500, "internal_error",
                                 "the request was not answered"};

}  // namespace

HttpExchange::HttpExchange(std::shared_ptr<HttpOutput> output,
                           AnswerFramer framer, const Clock& clock,
                           std::function<void()> on_finished)
    : output_(std::move(output)),
      framer_(framer),
      clock_(clock),
      on_finished_(std::move(on_finished)) {}

void HttpExchange::Respond(const HttpResponse& response) {
  if (state_ != State::kWaiting) return;
  SendLast(framer_.Whole(response, clock_.Now()));
}

void HttpExchange::StartStream(int status, const HttpHeaders& headers,
                               std::string keep_alive) {
  if (state_ != State::kWaiting) return;
  if (is_gone_) return Finish(false);
  state_ = State::kStreaming;
  keep_alive_ = std::move(keep_alive);
  last_sent_ = HttpOutput::Clock::now();
  output_->Send(framer_.StreamHead(status, headers, clock_.Now()), nullptr);
}

void HttpExchange::Write(std::string piece, Done done) {
  if (state_ != State::kStreaming) {
    if (done) done(false);
    return;
  }
  last_sent_ = HttpOutput::Clock::now();
  output_->Send(framer_.Piece(std::move(piece)), std::move(done));
}

void HttpExchange::EndStream() {
  if (state_ == State::kStreaming) SendLast(framer_.StreamEnd());
}

void HttpExchange::Abort() {
  if (state_ == State::kFinished) return;
  // Whoever aborts knows that nobody reads.
  gone_ = nullptr;
  is_gone_ = true;
  output_->Reset();
  Finish(false);
}

void HttpExchange::OnGone(std::function<void()> gone) {
  if (is_gone_) return gone();
  if (state_ != State::kFinished) gone_ = std::move(gone);
}

void HttpExchange::Drop() {
  if (state_ == State::kWaiting) {
    Respond(ErrorResponse(kNoAnswer));
  } else if (state_ == State::kStreaming) {
    Abort();
  }
}

void HttpExchange::ClientLeft() {
  if (state_ == State::kFinished || is_gone_) return;
  framer_.ForbidKeepAlive();
  const bool was_streaming = state_ == State::kStreaming;
  CallGone();
  if (was_streaming) ConnectionLost();
}

void HttpExchange::ConnectionLost() {
  if (state_ == State::kFinished) return;
  output_->Close();
  Finish(false);
  CallGone();
}

void HttpExchange::SendKeepAlive() {
  last_sent_ = HttpOutput::Clock::now();
  if (keep_alive_.empty()) return;
  output_->Send(framer_.Piece(keep_alive_), nullptr);
}

void HttpExchange::SendLast(std::string bytes) {
  state_ = State::kEnding;
  output_->Send(std::move(bytes), [self = shared_from_this()](bool ok) {
    if (self->state_ == State::kFinished) return;
    self->Finish(ok);
    if (!ok) self->CallGone();
  });
}

void HttpExchange::Finish(bool sent_whole) {
  if (state_ == State::kFinished) return;
  state_ = State::kFinished;
  sent_whole_ = sent_whole;
  if (sent_whole) gone_ = nullptr;
  if (on_finished_) std::exchange(on_finished_, nullptr)();
}

void HttpExchange::CallGone() {
  if (is_gone_) return;
  is_gone_ = true;
  was_told_ = true;
  if (gone_) std::exchange(gone_, nullptr)();
}

}  // namespace mesh::gateway
