// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gateway/admission/idempotency_store.h"

namespace mesh::gateway {

// A client that reads when it is told to.
class FakeClient final : public Responder {
 public:
  explicit FakeClient(bool reads = true) : reads_(reads) {}

  void Respond(HttpResponse response) override {
    whole = std::move(response);
    ended = true;
  }
  void StartStream(int status, HttpHeaders headers,
                   std::string keep_alive) override {
    whole.status = status;
    whole.headers = std::move(headers);
    kept_alive_with = std::move(keep_alive);
    streams = true;
  }
  void Write(std::string piece, std::function<void(bool)> done) override {
    EXPECT_TRUE(streams);
    EXPECT_FALSE(under_way_) << "two writes at a time";
    under_way_ = std::move(done);
    text += piece;
  }
  void EndStream() override {
    EXPECT_FALSE(under_way_);
    ended = true;
  }
  void Abort() override { aborted = true; }
  void OnGone(std::function<void()> gone) override { gone_ = std::move(gone); }

  // The server's thread: what was written has left. False if nothing was.
  bool Read() {
    if (!under_way_) return false;
    std::exchange(under_way_, nullptr)(true);
    return true;
  }
  bool Reads() const { return reads_; }
  void StopReading() { reads_ = false; }
  void GoAway() {
    reads_ = false;
    if (gone_) std::exchange(gone_, nullptr)();
    if (under_way_) std::exchange(under_way_, nullptr)(false);
  }

  HttpResponse whole;
  std::string kept_alive_with;
  std::string text;
  bool streams = false;
  bool ended = false;
  bool aborted = false;

 private:
  bool reads_;
  std::function<void(bool)> under_way_;
  std::function<void()> gone_;
};
using ClientPtr = std::shared_ptr<FakeClient>;

class IdempotencyTest : public testing::Test {
 protected:
  static HttpRequest MakeRequest(const std::string& key,
                                 const std::string& body = "{}") {
    HttpRequest request;
    request.method = "POST";
    request.path = "/v1/chat/completions";
    request.headers = {{"idempotency-key", key}};
    request.body = body;
    return request;
  }

  void Make(const IdempotencyStore::Options& options) {
    store_.emplace(
        options,
        [this](std::function<void()> task) {
          tasks_.push_back(std::move(task));
        },
        clock_);
  }
  void SetUp() override { Make({}); }
  // What is under way ends, as on any server.
  void TearDown() override {
    for (const ClientPtr& client : clients_) client->GoAway();
    Settle();
  }

  ClientPtr NewClient(bool reads = true) {
    return clients_.emplace_back(std::make_shared<FakeClient>(reads));
  }
  absl::StatusOr<std::shared_ptr<Responder>> Open(const HttpRequest& request,
                                                  const ClientPtr& client,
                                                  const char* tenant = "a") {
    return store_->Open(request, tenant, client);
  }
  // Null: answered by another request.
  std::shared_ptr<Responder> OpenKey(const ClientPtr& client,
                                     const std::string& key = "k",
                                     const std::string& body = "{}") {
    return Open(MakeRequest(key, body), client).value();
  }
  // Until nothing happens any more.
  void Settle() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (const ClientPtr& client : clients_) {
        if (client->Reads()) moved |= client->Read();
      }
      while (!tasks_.empty()) {
        moved = true;
        const std::function<void()> task = std::move(tasks_.front());
        tasks_.pop_front();
        task();
      }
    }
  }
  // How often `done` came, and with what.
  std::function<void(bool)> Count() {
    return [this](bool ok) { ++(ok ? num_written_ : num_failed_); };
  }
  static void Start(Responder& writer, int status = 200) {
    writer.StartStream(status, {{"Content-Type", "text/event-stream"}}, ": ka");
  }

  FakeClock clock_;
  std::deque<std::function<void()>> tasks_;
  std::deque<ClientPtr> clients_;
  std::optional<IdempotencyStore> store_;
  int num_written_ = 0;
  int num_failed_ = 0;
};

}  // namespace mesh::gateway
