// SPDX-License-Identifier: Apache-2.0
#include "gateway/http/http_responder.h"

#include <utility>

namespace mesh::gateway {

HttpResponder::HttpResponder(std::shared_ptr<IoThread> io,
                             std::shared_ptr<HttpExchange> exchange)
    : io_(std::move(io)), exchange_(std::move(exchange)) {}

HttpResponder::~HttpResponder() {
  io_->Post([exchange = exchange_] { exchange->Drop(); });
}

void HttpResponder::Respond(HttpResponse response) {
  io_->Post([exchange = exchange_, response = std::move(response)] {
    exchange->Respond(response);
  });
}

void HttpResponder::StartStream(int status, HttpHeaders headers,
                                std::string keep_alive) {
  io_->Post([exchange = exchange_, status, headers = std::move(headers),
             keep_alive = std::move(keep_alive)]() mutable {
    exchange->StartStream(status, headers, std::move(keep_alive));
  });
}

void HttpResponder::Write(std::string piece,
                          std::function<void(bool ok)> done) {
  io_->Post([exchange = exchange_, piece = std::move(piece),
             done = std::move(done)]() mutable {
    exchange->Write(std::move(piece), std::move(done));
  });
}

void HttpResponder::EndStream() {
  io_->Post([exchange = exchange_] { exchange->EndStream(); });
}

void HttpResponder::Abort() {
  io_->Post([exchange = exchange_] { exchange->Abort(); });
}

void HttpResponder::OnGone(std::function<void()> gone) {
  io_->Post([exchange = exchange_, gone = std::move(gone)]() mutable {
    exchange->OnGone(std::move(gone));
  });
}

}  // namespace mesh::gateway
