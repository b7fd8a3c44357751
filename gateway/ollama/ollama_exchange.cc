// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_exchange.h"

#include <utility>

namespace mesh::gateway {
namespace {

// No line of JSON means nothing: a stream that waits is silent.
constexpr char kNoKeepAlive[] = "";

}  // namespace

void OllamaExchange::Start(const GenerationContext& context, Options options,
                           GenerateInput input, OllamaAnswer answer,
                           TaskThread& tasks,
                           std::shared_ptr<Responder> responder) {
  std::shared_ptr<OllamaExchange> exchange(
      new OllamaExchange(context, std::move(options), std::move(answer), tasks,
                         std::move(responder)));
  exchange->Begin(std::move(input));
}

OllamaExchange::OllamaExchange(const GenerationContext& context,
                               Options options, OllamaAnswer answer,
                               TaskThread& tasks,
                               std::shared_ptr<Responder> responder)
    : context_(context),
      options_(std::move(options)),
      tasks_(tasks),
      responder_(std::move(responder)),
      generation_(Generation::Create(context_, options_.generation, *this)),
      answer_(std::move(answer)) {}

void OllamaExchange::Begin(GenerateInput input) {
  {
    const MutexLock lock(mutex_);
    self_ = shared_from_this();
  }
  generation_->Begin(std::move(input));
  // Only now: what has not begun could not be ended.
  responder_->OnGone([weak = weak_from_this()] {
    if (const auto exchange = weak.lock()) exchange->OnGone();
  });
}

void OllamaExchange::WriteStart(const AnswerStart& /*start*/) {
  const MutexLock lock(mutex_);
  answer_.NoteStart(context_.clock.Now());
  if (options_.stream && !over_) BeginStream();
  PostWritten();
}

void OllamaExchange::WriteDelta(AnswerDelta delta) {
  const MutexLock lock(mutex_);
  const absl::Time now = context_.clock.Now();
  std::string lines;
  if (over_) {
    // Nobody is told any more.
  } else if (options_.stream) {
    answer_.AppendDelta(delta, now, &lines);
  } else {
    answer_.Keep(delta, now);
  }
  if (lines.empty()) {
    PostWritten();
  } else {
    WriteLines(std::move(lines));
  }
}

void OllamaExchange::WriteLines(std::string lines) {
  writing_ = true;
  responder_->Write(std::move(lines), [self = shared_from_this()](bool ok) {
    self->OnWritten(ok);
  });
}

void OllamaExchange::OnWritten(bool ok) {
  {
    const MutexLock lock(mutex_);
    writing_ = false;
  }
  generation_->OnWritten(ok);
}

void OllamaExchange::PostWritten() {
  tasks_.Post([self = shared_from_this()] { self->OnWritten(true); });
}

void OllamaExchange::WriteEnd(const AnswerEnd& end) {
  const MutexLock lock(mutex_);
  const absl::Status status = CompletionOf(end);
  if (!over_ && status.ok()) Complete(end);
  if (!over_ && !status.ok()) Fail(status);
  over_ = true;
  tasks_.Post([self = std::move(self_)] { self->generation_->Close(); });
}

void OllamaExchange::Complete(const AnswerEnd& end) {
  const absl::Time now = context_.clock.Now();
  if (options_.stream) {
    // One that was cancelled before it started has no head yet.
    if (!streaming_) BeginStream();
    std::string line;
    answer_.AppendEnd(end, now, &line);
    WriteLast(std::move(line));
    return;
  }
  HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = answer_.Body(end, now);
  Respond(std::move(response));
}

void OllamaExchange::Fail(const absl::Status& status) {
  if (!streaming_) {
    Respond(OllamaErrorResponse(status));
    return;
  }
  std::string line;
  responder_->DoNotKeep();
  OllamaAnswer::AppendError(status, &line);
  WriteLast(std::move(line));
}

void OllamaExchange::WriteLast(std::string lines) {
  responder_->Write(std::move(lines), [](bool /*ok*/) {});
  responder_->EndStream();
}

void OllamaExchange::BeginStream() {
  streaming_ = true;
  HttpHeaders headers = {{"Content-Type", "application/x-ndjson"},
                         {"Cache-Control", "no-cache"},
                         {"X-Accel-Buffering", "no"}};
  headers.insert(headers.end(), options_.headers.begin(),
                 options_.headers.end());
  responder_->StartStream(200, std::move(headers), kNoKeepAlive);
}

void OllamaExchange::Respond(HttpResponse response) {
  response.headers.insert(response.headers.end(), options_.headers.begin(),
                          options_.headers.end());
  responder_->Respond(std::move(response));
}

void OllamaExchange::BreakOff() {
  const MutexLock lock(mutex_);
  // What was said last may still reach a client that reads.
  if (writing_) responder_->Abort();
}

void OllamaExchange::OnGone() {
  const MutexLock lock(mutex_);
  if (over_) return;
  over_ = true;
  const bool is_late = context_.clock.Now() >= options_.generation.deadline;
  tasks_.Post([self = shared_from_this(), is_late] {
    self->generation_->OnClientGone(is_late);
  });
}

}  // namespace mesh::gateway
