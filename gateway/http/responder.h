// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "gateway/http/http_message.h"

namespace mesh::gateway {

// The answer to one HTTP request: either Respond, or StartStream, any number of
// Write, and EndStream. Thread-safe; callbacks run on the server's thread
// without a lock of its, must not block, and may call the responder again.
class Responder {
 public:
  virtual ~Responder() = default;

  // The whole answer. Adds Content-Length, Date and the connection's headers.
  virtual void Respond(HttpResponse response) = 0;

  // The head of an answer whose length is not known. `keep_alive` is sent
  // whenever nothing else was for a while; empty: nothing is.
  virtual void StartStream(int status, HttpHeaders headers,
                           std::string keep_alive) = 0;
  // `done` is called once the piece has left (true), or will not (false).
  virtual void Write(std::string piece, std::function<void(bool ok)> done) = 0;
  virtual void EndStream() = 0;

  // What is being answered is an error, whatever its status said: another try
  // of the same request is not to be answered with it.
  virtual void DoNotKeep() {}

  // Closes the connection as it is: its client does not read.
  virtual void Abort() = 0;

  // `gone` is called once if the client goes away before the answer has been
  // sent whole; at once if it already has.
  virtual void OnGone(std::function<void()> gone) = 0;
};

// What serves requests.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;

  // On a worker thread, several at once; may compute, must not wait. The
  // request is answered through `responder`, now or later.
  virtual void Handle(HttpRequest request,
                      std::shared_ptr<Responder> responder) = 0;
};

}  // namespace mesh::gateway
