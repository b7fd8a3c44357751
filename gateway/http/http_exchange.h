// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "core/clock.h"
#include "gateway/http/answer_framer.h"
#include "gateway/http/http_message.h"
#include "gateway/http/http_output.h"

namespace mesh::gateway {

// One request whose answer is being made: what its responder does, in the order
// in which it was called, and what becomes of it if the client goes away. Owned
// by the io thread; must be in a shared_ptr.
class HttpExchange : public std::enable_shared_from_this<HttpExchange> {
 public:
  using Done = HttpOutput::Done;

  // `on_finished` is called once nothing more will be sent.
  HttpExchange(std::shared_ptr<HttpOutput> output, AnswerFramer framer,
               const Clock& clock, std::function<void()> on_finished);

  // Of the responder. What comes out of turn is left out.
  void Respond(const HttpResponse& response);
  void StartStream(int status, const HttpHeaders& headers,
                   std::string keep_alive);
  void Write(std::string piece, Done done);
  void EndStream();
  void Abort();
  void OnGone(std::function<void()> gone);
  // The responder is not held by anyone any more.
  void Drop();

  // The client will take no stream any more, but may take a short answer.
  void ClientLeft();
  // Nothing can be sent any more.
  void ConnectionLost();
  // The connection ends behind this answer, if that can still be said.
  void ForbidKeepAlive() { framer_.ForbidKeepAlive(); }

  bool IsStreaming() const { return state_ == State::kStreaming; }
  bool IsFinished() const { return state_ == State::kFinished; }
  // REQUIRES: IsFinished().
  bool KeepsConnection() const {
    return sent_whole_ && framer_.KeepsConnection();
  }

  // Whether the client went away before it had the whole answer. REQUIRES:
  // IsFinished().
  bool WasLost() const { return was_told_ && !sent_whole_; }

  // When something was last sent. REQUIRES: IsStreaming().
  HttpOutput::Clock::time_point LastSent() const { return last_sent_; }
  void SendKeepAlive();

 private:
  enum class State { kWaiting, kStreaming, kEnding, kFinished };

  void SendLast(std::string bytes);
  void Finish(bool sent_whole);
  void CallGone();

  const std::shared_ptr<HttpOutput> output_;
  AnswerFramer framer_;
  const Clock& clock_;
  std::function<void()> on_finished_;
  State state_ = State::kWaiting;
  bool is_gone_ = false;   // nobody is there to read
  bool was_told_ = false;  // gone_ has been called, if there was one
  bool sent_whole_ = false;
  std::function<void()> gone_;
  std::string keep_alive_;
  HttpOutput::Clock::time_point last_sent_;
};

}  // namespace mesh::gateway
