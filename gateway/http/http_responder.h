// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "gateway/http/http_exchange.h"
#include "gateway/http/responder.h"
#include "gateway/net/io_thread.h"

namespace mesh::gateway {

// What a handler holds of an exchange: hands every call over to the io thread.
// Thread-safe. Letting go of it without an answer is an error of the handler;
// the client gets one, too.
class HttpResponder final : public Responder {
 public:
  HttpResponder(std::shared_ptr<IoThread> io,
                std::shared_ptr<HttpExchange> exchange);
  ~HttpResponder() override;

  void Respond(HttpResponse response) override;
  void StartStream(int status, HttpHeaders headers,
                   std::string keep_alive) override;
  void Write(std::string piece, std::function<void(bool ok)> done) override;
  void EndStream() override;
  void Abort() override;
  void OnGone(std::function<void()> gone) override;

 private:
  const std::shared_ptr<IoThread> io_;
  const std::shared_ptr<HttpExchange> exchange_;
};

}  // namespace mesh::gateway
