// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "core/mutex.h"
#include "gateway/http/responder.h"

namespace mesh::gateway {

class RecordedAnswer;

// Where recorded answers can be found again. Called without their locks.
class AnswerKeeper {
 public:
  virtual ~AnswerKeeper() = default;

  // The answer gets longer. False: there is no room for that.
  virtual bool Grow(const RecordedAnswer& answer, size_t num_bytes) = 0;
  // It is whole.
  virtual void OnComplete(const RecordedAnswer& answer) = 0;
  // Nobody is to find it again. May come twice.
  virtual void Forget(const RecordedAnswer& answer) = 0;
};

// An answer on its way to any number of readers, each of which gets all of it
// from its beginning. As long as it is kept, it comes at the pace of its
// fastest reader, and even without any; otherwise at that of its slowest, and
// without any its writer is told that the client is gone. Thread-safe.
class RecordedAnswer final
    : public std::enable_shared_from_this<RecordedAnswer> {
 public:
  // Runs a function soon, on a thread that holds no locks.
  using Post = std::function<void(std::function<void()>)>;

  // `keeper` outlives it.
  RecordedAnswer(AnswerKeeper& keeper, Post post)
      : keeper_(keeper), post_(std::move(post)) {}

  // As the functions of Responder, for the one that writes the answer; nothing
  // is called back from within them.
  void Respond(HttpResponse response);
  void StartStream(int status, HttpHeaders headers, std::string keep_alive);
  void Write(const std::string& piece, std::function<void(bool ok)> done);
  void EndStream();
  void Abort();
  void DoNotKeep();
  void OnGone(std::function<void()> gone);
  // Nothing more comes from the writer: what is not whole never will be.
  void Abandon();

  void AddReader(std::shared_ptr<Responder> responder);

  size_t NumReaders() const;

 private:
  enum class Form { kUnknown, kWhole, kStream };
  enum class State { kOpen, kEnded, kAborted };

  struct Reader {
    std::shared_ptr<Responder> responder;
    bool has_head = false;
    size_t position = 0;  // in the stream, that it has got
    // Somebody calls its responder, or a write of it is under way.
    bool busy = false;
    bool removed = false;
  };
  using ReaderPtr = std::shared_ptr<Reader>;

  // What a reader is to get next.
  struct Step {
    enum class Kind { kNothing, kWhole, kHead, kPiece, kEnd, kAbort };
    Kind kind = Kind::kNothing;
    HttpResponse response;  // a head has no body
    std::string piece;      // or what keeps a stream alive
  };

  // To be called once the lock is free.
  struct Calls {
    std::vector<std::function<void(bool)>> done;
    bool ok = true;
    std::vector<std::function<void()>> gone;
  };
  struct PendingDone {
    size_t position = 0;  // of the end of its piece
    std::function<void(bool)> done;
  };

  void PumpAll();
  void Pump(const ReaderPtr& reader);
  // Busy from now on, unless it is to get nothing.
  Step NextStep(Reader& reader) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False: it is busy still, or over.
  bool Take(const ReaderPtr& reader, Step step);
  void OnReaderWritten(const ReaderPtr& reader, size_t num_bytes, bool ok);
  void RemoveReader(const ReaderPtr& reader);
  // What it may grow by is asked for first.
  void Reserve(size_t num_bytes);
  void StopKeeping();
  bool IsKept() const;
  void End(State state);

  size_t EndPosition() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return begin_ + text_.size();
  }
  Calls TakeCalls() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Run(const Calls& calls);
  // Out of a call of the writer's.
  void RunLater(Calls calls);

  AnswerKeeper& keeper_;
  const Post post_;

  mutable Mutex mutex_;
  Form form_ ABSL_GUARDED_BY(mutex_) = Form::kUnknown;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kOpen;
  // Also the head of a stream, which has no body.
  HttpResponse response_ ABSL_GUARDED_BY(mutex_);
  std::string keep_alive_ ABSL_GUARDED_BY(mutex_);
  std::string text_ ABSL_GUARDED_BY(mutex_);  // of the stream, from begin_
  size_t begin_ ABSL_GUARDED_BY(mutex_) = 0;
  bool keeping_ ABSL_GUARDED_BY(mutex_) = true;
  std::vector<ReaderPtr> readers_ ABSL_GUARDED_BY(mutex_);
  std::deque<PendingDone> pending_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> gone_ ABSL_GUARDED_BY(mutex_);
};

// What the answer's writer holds.
class RecordingResponder final : public Responder {
 public:
  explicit RecordingResponder(std::shared_ptr<RecordedAnswer> answer)
      : answer_(std::move(answer)) {}
  ~RecordingResponder() override { answer_->Abandon(); }

  void Respond(HttpResponse response) override {
    answer_->Respond(std::move(response));
  }
  void StartStream(int status, HttpHeaders headers,
                   std::string keep_alive) override {
    answer_->StartStream(status, std::move(headers), std::move(keep_alive));
  }
  void Write(std::string piece, std::function<void(bool ok)> done) override {
    answer_->Write(piece, std::move(done));
  }
  void EndStream() override { answer_->EndStream(); }
  void DoNotKeep() override { answer_->DoNotKeep(); }
  void Abort() override { answer_->Abort(); }
  void OnGone(std::function<void()> gone) override {
    answer_->OnGone(std::move(gone));
  }

 private:
  const std::shared_ptr<RecordedAnswer> answer_;
};

}  // namespace mesh::gateway
