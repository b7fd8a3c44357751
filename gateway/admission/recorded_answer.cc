// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/recorded_answer.h"

#include <algorithm>
#include <limits>

namespace mesh::gateway {
namespace {

constexpr size_t kMaxPieceBytes = size_t{64} << 10;

// Another try may be answered otherwise.
bool IsPassing(int http_status) {
  return http_status == 429 || http_status >= 500;
}

size_t NumBytes(const HttpHeaders& headers) {
  size_t num_bytes = 0;
  for (const auto& [name, value] : headers) {
    num_bytes += name.size() + value.size();
  }
  return num_bytes;
}

}  // namespace

void RecordedAnswer::Respond(HttpResponse response) {
  if (IsPassing(response.status)) StopKeeping();
  Reserve(response.body.size() + NumBytes(response.headers));
  {
    MutexLock lock(mutex_);
    if (form_ != Form::kUnknown || state_ != State::kOpen) return;
    form_ = Form::kWhole;
    response_ = std::move(response);
  }
  End(State::kEnded);
}

void RecordedAnswer::StartStream(int status, HttpHeaders headers,
                                 std::string keep_alive) {
  if (IsPassing(status)) StopKeeping();
  Reserve(NumBytes(headers));
  {
    MutexLock lock(mutex_);
    if (form_ != Form::kUnknown || state_ != State::kOpen) return;
    form_ = Form::kStream;
    response_ = {.status = status, .headers = std::move(headers), .body = {}};
    keep_alive_ = std::move(keep_alive);
  }
  PumpAll();
}

void RecordedAnswer::Write(const std::string& piece,
                           std::function<void(bool ok)> done) {
  Reserve(piece.size());
  Calls calls;
  {
    MutexLock lock(mutex_);
    if (form_ != Form::kStream || state_ != State::kOpen) {
      calls.ok = false;
      calls.done.push_back(std::move(done));
    } else {
      text_ += piece;
      pending_.push_back({EndPosition(), std::move(done)});
      calls = TakeCalls();
    }
  }
  RunLater(std::move(calls));
  PumpAll();
}

void RecordedAnswer::EndStream() { End(State::kEnded); }

void RecordedAnswer::Abort() {
  StopKeeping();
  End(State::kAborted);
}

void RecordedAnswer::Abandon() {
  {
    MutexLock lock(mutex_);
    if (state_ != State::kOpen) return;
  }
  Abort();
}

void RecordedAnswer::DoNotKeep() { StopKeeping(); }

void RecordedAnswer::OnGone(std::function<void()> gone) {
  Calls calls;
  {
    MutexLock lock(mutex_);
    gone_.push_back(std::move(gone));
    calls = TakeCalls();
  }
  RunLater(std::move(calls));
}

void RecordedAnswer::End(State state) {
  Calls calls;
  bool kept = false;
  std::vector<std::function<void()>> not_needed;
  {
    MutexLock lock(mutex_);
    if (state_ != State::kOpen) return;
    state_ = state;
    not_needed.swap(gone_);
    kept = keeping_;
    if (state == State::kAborted) {
      calls.ok = false;
      for (PendingDone& pending : pending_) {
        calls.done.push_back(std::move(pending.done));
      }
      pending_.clear();
    }
  }
  RunLater(std::move(calls));
  if (kept) keeper_.OnComplete(*this);
  PumpAll();
}

void RecordedAnswer::Reserve(size_t num_bytes) {
  if (IsKept() && !keeper_.Grow(*this, num_bytes)) StopKeeping();
}

bool RecordedAnswer::IsKept() const {
  MutexLock lock(mutex_);
  return keeping_;
}

void RecordedAnswer::StopKeeping() {
  Calls calls;
  {
    MutexLock lock(mutex_);
    if (!keeping_) return;
    keeping_ = false;
    DropRead();
    calls = TakeCalls();
  }
  keeper_.Forget(*this);
  RunLater(std::move(calls));
}

void RecordedAnswer::AddReader(std::shared_ptr<Responder> responder) {
  const auto reader = std::make_shared<Reader>();
  reader->responder = std::move(responder);
  bool comes_too_late = false;
  {
    MutexLock lock(mutex_);
    comes_too_late = begin_ > 0;
    if (!comes_too_late) readers_.push_back(reader);
  }
  if (comes_too_late) return reader->responder->Abort();
  reader->responder->OnGone(
      [weak_answer = weak_from_this(), weak_reader = std::weak_ptr(reader)] {
        const auto answer = weak_answer.lock();
        const auto gone = weak_reader.lock();
        if (answer != nullptr && gone != nullptr) answer->RemoveReader(gone);
      });
  Pump(reader);
}

size_t RecordedAnswer::NumReaders() const {
  MutexLock lock(mutex_);
  return readers_.size();
}

void RecordedAnswer::PumpAll() {
  std::vector<ReaderPtr> readers;
  {
    MutexLock lock(mutex_);
    readers = readers_;
  }
  for (const ReaderPtr& reader : readers) Pump(reader);
}

void RecordedAnswer::Pump(const ReaderPtr& reader) {
  while (true) {
    Step step;
    {
      MutexLock lock(mutex_);
      step = NextStep(*reader);
    }
    if (!Take(reader, std::move(step))) return;
    MutexLock lock(mutex_);
    reader->busy = false;
  }
}

RecordedAnswer::Step RecordedAnswer::NextStep(Reader& reader) {
  if (reader.busy || reader.removed) return {};
  Step step;
  if (state_ == State::kAborted) {
    step.kind = Step::Kind::kAbort;
  } else if (form_ == Form::kWhole) {
    step.kind = Step::Kind::kWhole;
    step.response = response_;
  } else if (form_ == Form::kStream && !reader.has_head) {
    step.kind = Step::Kind::kHead;
    step.response = response_;
    step.piece = keep_alive_;
    reader.has_head = true;
  } else if (reader.position < EndPosition()) {
    step.kind = Step::Kind::kPiece;
    step.piece = text_.substr(reader.position - begin_, kMaxPieceBytes);
  } else if (state_ == State::kEnded) {
    step.kind = Step::Kind::kEnd;
  }
  reader.busy = step.kind != Step::Kind::kNothing;
  return step;
}

bool RecordedAnswer::Take(const ReaderPtr& reader, Step step) {
  Responder& responder = *reader->responder;
  switch (step.kind) {
    case Step::Kind::kNothing:
      return false;
    case Step::Kind::kHead:
      responder.StartStream(step.response.status,
                            std::move(step.response.headers),
                            std::move(step.piece));
      return true;
    case Step::Kind::kPiece: {
      const size_t num_bytes = step.piece.size();
      responder.Write(std::move(step.piece),
                      [self = shared_from_this(), reader, num_bytes](bool ok) {
                        self->OnReaderWritten(reader, num_bytes, ok);
                      });
      return false;
    }
    case Step::Kind::kWhole:
      responder.Respond(std::move(step.response));
      break;
    case Step::Kind::kEnd:
      responder.EndStream();
      break;
    case Step::Kind::kAbort:
      responder.Abort();
      break;
  }
  RemoveReader(reader);
  return false;
}

void RecordedAnswer::OnReaderWritten(const ReaderPtr& reader, size_t num_bytes,
                                     bool ok) {
  if (!ok) return RemoveReader(reader);
  Calls calls;
  {
    MutexLock lock(mutex_);
    if (reader->removed) return;
    reader->position += num_bytes;
    reader->busy = false;
    calls = TakeCalls();
    DropRead();
  }
  Pump(reader);
  Run(calls);
}

void RecordedAnswer::RemoveReader(const ReaderPtr& reader) {
  Calls calls;
  {
    MutexLock lock(mutex_);
    if (reader->removed) return;
    reader->removed = true;
    std::erase(readers_, reader);
    calls = TakeCalls();
    DropRead();
  }
  RunLater(std::move(calls));
}

RecordedAnswer::Calls RecordedAnswer::TakeCalls() {
  Calls calls;
  size_t pace = keeping_ ? 0 : std::numeric_limits<size_t>::max();
  for (const ReaderPtr& reader : readers_) {
    pace = keeping_ ? std::max(pace, reader->position)
                    : std::min(pace, reader->position);
  }
  if (readers_.empty()) {
    pace = std::numeric_limits<size_t>::max();
    // Once it has ended nobody need be told.
    const bool all_gone = !keeping_ && state_ == State::kOpen;
    calls.ok = !all_gone;
    if (all_gone) calls.gone.swap(gone_);
  }
  while (!pending_.empty() && pending_.front().position <= pace) {
    calls.done.push_back(std::move(pending_.front().done));
    pending_.pop_front();
  }
  return calls;
}

void RecordedAnswer::DropRead() {
  if (keeping_) return;
  size_t least = EndPosition();
  for (const ReaderPtr& reader : readers_) {
    least = std::min(least, reader->position);
  }
  text_.erase(0, least - begin_);
  begin_ = least;
}

void RecordedAnswer::Run(const Calls& calls) {
  for (const auto& done : calls.done) done(calls.ok);
  for (const auto& gone : calls.gone) gone();
}

void RecordedAnswer::RunLater(Calls calls) {
  if (calls.done.empty() && calls.gone.empty()) return;
  post_([calls = std::move(calls)] { Run(calls); });
}

}  // namespace mesh::gateway
