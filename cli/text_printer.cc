// SPDX-License-Identifier: Apache-2.0
#include "cli/text_printer.h"

#include "absl/strings/str_cat.h"
#include "cli/answer_pace.h"

namespace mesh::cli {

TextPrinter::TextPrinter(ThinkingView view, const Clock& clock,
                         Console& console)
    : view_(view), clock_(clock), console_(console), began_(clock.Now()) {}

void TextPrinter::Print(const AnswerPiece& piece) {
  if (!piece.reasoning.empty()) {
    if (!thinks_) began_ = clock_.Now();
    thinks_ = true;
    if (view_ == ThinkingView::kShow) console_.Thinking(piece.reasoning);
  }
  num_tokens_ += piece.num_tokens;
  Tick();
  if (piece.text.empty()) return;
  EndThinking();
  num_tokens_ = 0;
  console_.Answer(piece.text);
}

void TextPrinter::Tick() {
  if (!thinks_ || view_ != ThinkingView::kFold) return;
  std::string line = absl::StrCat("thinking: ", Fold());
  if (line == shown_) return;
  console_.Status(line);
  shown_ = std::move(line);
}

void TextPrinter::Finish() {
  if (view_ == ThinkingView::kFold) EndThinking();
}

std::string TextPrinter::Fold() const {
  return absl::StrCat(absl::ToInt64Seconds(clock_.Now() - began_), " s, ",
                      TokensText(num_tokens_));
}

void TextPrinter::EndThinking() {
  if (!thinks_) return;
  thinks_ = false;
  if (view_ == ThinkingView::kShow) console_.Thinking("\n\n");
  if (view_ != ThinkingView::kFold) return;
  console_.Status("");
  console_.Aside(absl::StrCat("thought for ", Fold()));
}

}  // namespace mesh::cli
