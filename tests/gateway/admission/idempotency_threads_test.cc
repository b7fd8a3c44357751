// SPDX-License-Identifier: Apache-2.0
// Recorded answers with writers, readers that go away and callbacks, each on
// threads of their own.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/mutex.h"
#include "gateway/admission/idempotency_store.h"
#include "gateway/task_thread.h"

namespace mesh::gateway {
namespace {

// A client whose server's thread is the task thread; it goes away after
// `max_writes`.
class TaskClient final : public Responder,
                         public std::enable_shared_from_this<TaskClient> {
 public:
  TaskClient(TaskThread& tasks, int max_writes)
      : tasks_(tasks), writes_left_(max_writes) {}

  void Respond(HttpResponse response) override { Finish(response.body); }
  void StartStream(int, HttpHeaders, std::string) override {}
  void Write(std::string piece, std::function<void(bool)> done) override {
    tasks_.Post([self = shared_from_this(), piece = std::move(piece),
                 done = std::move(done)] { self->Take(piece, done); });
  }
  void EndStream() override { Finish(""); }
  void Abort() override { Finish(" aborted"); }
  void OnGone(std::function<void()> gone) override {
    MutexLock lock(mutex_);
    gone_ = std::move(gone);
  }

  bool Finished() const {
    MutexLock lock(mutex_);
    return finished_;
  }
  std::string Text() const {
    MutexLock lock(mutex_);
    return text_;
  }

 private:
  void Take(const std::string& piece, const std::function<void(bool)>& done) {
    std::function<void()> gone;
    {
      MutexLock lock(mutex_);
      if (writes_left_ > 0) text_ += piece;
      if (--writes_left_ == 0) gone.swap(gone_);
    }
    if (gone) gone();
    done(true);
  }
  void Finish(const std::string& text) {
    MutexLock lock(mutex_);
    text_ += text;
    finished_ = true;
  }

  TaskThread& tasks_;
  mutable Mutex mutex_;
  int writes_left_ ABSL_GUARDED_BY(mutex_);
  std::string text_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> gone_ ABSL_GUARDED_BY(mutex_);
};

// Writes and waits for each piece, as a generation does.
void WriteAnswer(Responder& responder, const std::string& piece,
                 int num_pieces) {
  struct Turn {
    Mutex mutex;
    CondVar changed;
    bool written ABSL_GUARDED_BY(mutex) = false;
  };
  const auto turn = std::make_shared<Turn>();
  responder.StartStream(200, {}, "");
  for (int i = 0; i < num_pieces; ++i) {
    responder.Write(piece, [turn](bool) {
      MutexLock lock(turn->mutex);
      turn->written = true;
      turn->changed.NotifyAll();
    });
    MutexLock lock(turn->mutex);
    while (!turn->written) turn->changed.Wait(turn->mutex);
    turn->written = false;
  }
  responder.EndStream();
}

TEST(IdempotencyThreads, AllWhoStayGetTheWholeAnswer) {
  constexpr int kPieces = 200;
  const RealClock clock;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::shared_ptr<TaskClient>> staying;
    // Declared after what its tasks use.
    TaskThread tasks;
    IdempotencyStore store(
        {.max_answer_bytes = round % 2 == 0 ? size_t{1} << 20 : 3000},
        [&tasks](std::function<void()> task) { tasks.Post(std::move(task)); },
        clock);
    HttpRequest request;
    request.method = "POST";
    request.headers = {{"Idempotency-Key", "k"}};
    const auto open = [&](int max_writes) {
      auto client = std::make_shared<TaskClient>(tasks, max_writes);
      auto writer = store.Open(request, "a", client).value();
      return std::pair(std::move(client), std::move(writer));
    };
    auto [first, writer] = open(round % 3 == 0 ? 5 : 1 << 30);
    for (int i = 0; i < 3; ++i) {
      auto [client, none] = open(1 << 30);
      ASSERT_EQ(none, nullptr);
      staying.push_back(std::move(client));
    }
    std::thread writes(
        [&writer = writer] { WriteAnswer(*writer, "0123456789", kPieces); });
    std::thread joins([&] {
      for (int i = 1; i < 10; ++i) {
        // If it is no longer kept, this one is to be answered anew.
        auto [client, fresh] = open(i);
        if (fresh != nullptr) fresh->Respond({});
      }
    });
    writes.join();
    joins.join();
    for (const auto& client : staying) {
      while (!client->Finished()) std::this_thread::yield();
      EXPECT_EQ(client->Text().size(), 10u * kPieces);
    }
  }
}

}  // namespace
}  // namespace mesh::gateway
