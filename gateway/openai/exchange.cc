// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/exchange.h"

#include <utility>

#include "gateway/openai/error_response.h"

namespace mesh::gateway {
namespace {

constexpr char kKeepAlive[] = ": keep-alive\n\n";

HttpHeaders StreamHeaders(const HttpHeaders& others) {
  HttpHeaders headers = {{"Content-Type", "text/event-stream; charset=utf-8"},
                         {"Cache-Control", "no-cache"},
                         {"X-Accel-Buffering", "no"}};
  headers.insert(headers.end(), others.begin(), others.end());
  return headers;
}

}  // namespace

void Exchange::Start(const GenerationContext& context, Options options,
                     std::vector<GenerateInput> inputs,
                     std::unique_ptr<AnswerFormat> format, TaskThread& tasks,
                     std::shared_ptr<Responder> responder) {
  std::shared_ptr<Exchange> exchange(
      new Exchange(context, std::move(options), inputs.size(),
                   std::move(format), tasks, std::move(responder)));
  exchange->Begin(std::move(inputs));
}

Exchange::Exchange(const GenerationContext& context, Options options,
                   size_t num_choices, std::unique_ptr<AnswerFormat> format,
                   TaskThread& tasks, std::shared_ptr<Responder> responder)
    : context_(context),
      options_(std::move(options)),
      num_choices_(num_choices),
      tasks_(tasks),
      responder_(std::move(responder)),
      format_(std::move(format)),
      writing_(num_choices, false) {
  choices_.reserve(num_choices);
  for (size_t i = 0; i < num_choices; ++i) choices_.emplace_back(*this, i);
}

void Exchange::Begin(std::vector<GenerateInput> inputs) {
  const std::shared_ptr<Exchange> self = shared_from_this();
  {
    const MutexLock lock(mutex_);
    self_ = self;
  }
  responder_->OnGone([weak = weak_from_this()] {
    if (const auto exchange = weak.lock()) exchange->OnGone();
  });
  for (size_t i = 0; i < num_choices_; ++i) {
    const std::shared_ptr<Generation> generation = NextGeneration(i);
    if (generation == nullptr) break;
    generation->Begin(std::move(inputs[i]));
  }
  OnBegun();
}

std::shared_ptr<Generation> Exchange::NextGeneration(size_t choice) {
  std::shared_ptr<Generation> generation =
      Generation::Create(context_, options_.generation, choices_[choice]);
  const MutexLock lock(mutex_);
  if (over_) return nullptr;
  generations_.push_back(generation);
  return generation;
}

void Exchange::OnBegun() {
  const MutexLock lock(mutex_);
  beginning_ = false;
  for (const size_t choice : started_early_) {
    if (over_) {
      PostWritten(choice);
    } else {
      StartChoice(choice);
    }
  }
  if (over_) {
    if (gone_ && IsLate()) {
      PostToAll([](Generation& its) { its.OnClientGone(/*is_late=*/true); });
    } else if (gone_) {
      PostToAll([](Generation& its) { its.OnClientGone(/*is_late=*/false); });
    } else {
      PostToAll([](Generation& its) { its.Cancel(); });
    }
  }
  CloseIfOver();
}

void Exchange::OnStart(size_t choice, const AnswerStart& start) {
  const MutexLock lock(mutex_);
  format_->SetFingerprint(start.identity);
  format_->SetPromptTokens(static_cast<int>(choice), start.num_prompt_tokens);
  if (over_ || !options_.stream) {
    PostWritten(choice);
  } else if (beginning_) {
    started_early_.push_back(choice);
  } else {
    StartChoice(choice);
  }
}

void Exchange::StartChoice(size_t choice) {
  if (!streaming_) {
    streaming_ = true;
    responder_->StartStream(200, StreamHeaders(options_.headers), kKeepAlive);
  }
  std::string piece;
  format_->AppendStart(static_cast<int>(choice), &piece);
  WritePiece(choice, std::move(piece));
}

void Exchange::OnDelta(size_t choice, const AnswerDelta& delta) {
  const MutexLock lock(mutex_);
  format_->CountTokens(static_cast<int>(choice), delta);
  std::string piece;
  if (over_) {
    // Nobody is told any more.
  } else if (options_.stream) {
    format_->AppendDelta(static_cast<int>(choice), delta, &piece);
  } else {
    format_->Keep(static_cast<int>(choice), delta);
  }
  WritePiece(choice, std::move(piece));
}

void Exchange::WritePiece(size_t choice, std::string piece) {
  if (piece.empty()) {
    PostWritten(choice);
    return;
  }
  writing_[choice] = true;
  responder_->Write(std::move(piece),
                    [self = shared_from_this(), choice](bool ok) {
                      self->OnWritten(choice, ok);
                    });
}

void Exchange::OnWritten(size_t choice, bool ok) {
  std::shared_ptr<Generation> generation;
  {
    const MutexLock lock(mutex_);
    writing_[choice] = false;
    generation = generations_[choice];
  }
  generation->OnWritten(ok);
}

void Exchange::PostWritten(size_t choice) {
  tasks_.Post([generation = generations_[choice], self = shared_from_this()] {
    generation->OnWritten(true);
  });
}

void Exchange::OnEnd(size_t choice, const AnswerEnd& end) {
  const MutexLock lock(mutex_);
  ++num_ended_;
  if (!over_) TakeEnd(choice, end);
  CloseIfOver();
}

void Exchange::TakeEnd(size_t choice, const AnswerEnd& end) {
  if (const absl::Status status = CompletionOf(end); !status.ok()) {
    Fail(status);
    return;
  }
  format_->NoteEnd(static_cast<int>(choice), end.reason,
                   {.num_prompt_tokens = end.usage.num_prompt_tokens,
                    .num_cached_tokens = end.usage.num_cached_tokens,
                    .num_completion_tokens = end.usage.num_completion_tokens,
                    .num_reasoning_tokens = end.usage.num_reasoning_tokens});
  std::string piece;
  if (options_.stream) {
    format_->AppendFinish(static_cast<int>(choice), &piece);
  }
  if (num_ended_ == num_choices_) {
    Complete(std::move(piece));
  } else if (options_.stream) {
    responder_->Write(std::move(piece), [](bool /*ok*/) {});
  }
}

void Exchange::Complete(std::string last_piece) {
  over_ = true;
  if (options_.stream) {
    format_->AppendEnd(&last_piece);
    WriteLast(std::move(last_piece));
    return;
  }
  HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = format_->Body();
  responder_->Respond(WithHeaders(std::move(response)));
}

void Exchange::Fail(const absl::Status& status) {
  over_ = true;
  if (streaming_) {
    responder_->DoNotKeep();
    std::string piece;
    AnswerFormat::AppendError(ErrorBody(status), &piece);
    WriteLast(std::move(piece));
  } else {
    responder_->Respond(WithHeaders(ErrorResponse(status)));
  }
  if (!beginning_) PostToAll([](Generation& its) { its.Cancel(); });
}

void Exchange::WriteLast(std::string piece) {
  responder_->Write(std::move(piece), [](bool /*ok*/) {});
  responder_->EndStream();
}

void Exchange::OnBreakOff(size_t choice) {
  const MutexLock lock(mutex_);
  // What was said last may still reach a client that reads.
  if (writing_[choice]) responder_->Abort();
}

void Exchange::OnGone() {
  const MutexLock lock(mutex_);
  if (over_) return;
  over_ = true;
  gone_ = true;
  // Otherwise OnBegun does it.
  if (beginning_) return;
  if (IsLate()) {
    PostToAll([](Generation& its) { its.OnClientGone(/*is_late=*/true); });
  } else {
    PostToAll([](Generation& its) { its.OnClientGone(/*is_late=*/false); });
  }
}

void Exchange::PostToAll(void (*act)(Generation&)) {
  tasks_.Post([generations = generations_, act, self = shared_from_this()] {
    for (const auto& generation : generations) act(*generation);
  });
}

void Exchange::CloseIfOver() {
  if (!over_ || beginning_ || closing_) return;
  if (num_ended_ < generations_.size()) return;
  closing_ = true;
  PostToAll([](Generation& its) { its.Close(); });
  self_.reset();
}

HttpResponse Exchange::WithHeaders(HttpResponse response) const {
  response.headers.insert(response.headers.end(), options_.headers.begin(),
                          options_.headers.end());
  return response;
}

bool Exchange::IsLate() const {
  return context_.clock.Now() >= options_.generation.deadline;
}

}  // namespace mesh::gateway
