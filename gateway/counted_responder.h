// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gateway/http/responder.h"

namespace mesh::gateway {

// A responder that also tells which status its answer began with. As
// thread-safe as what it stands before.
class CountedResponder final : public Responder {
 public:
  // `count` is called once at most, on the thread that answers.
  CountedResponder(std::shared_ptr<Responder> inner,
                   std::function<void(int status)> count)
      : inner_(std::move(inner)), count_(std::move(count)) {}

  void Respond(HttpResponse response) override {
    count_(response.status);
    inner_->Respond(std::move(response));
  }
  void StartStream(int status, HttpHeaders headers,
                   std::string keep_alive) override {
    count_(status);
    inner_->StartStream(status, std::move(headers), std::move(keep_alive));
  }
  void Write(std::string piece, std::function<void(bool ok)> done) override {
    inner_->Write(std::move(piece), std::move(done));
  }
  void EndStream() override { inner_->EndStream(); }
  void DoNotKeep() override { inner_->DoNotKeep(); }
  void Abort() override { inner_->Abort(); }
  void OnGone(std::function<void()> gone) override {
    inner_->OnGone(std::move(gone));
  }

 private:
  const std::shared_ptr<Responder> inner_;
  const std::function<void(int status)> count_;
};

}  // namespace mesh::gateway
