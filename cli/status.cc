// SPDX-License-Identifier: Apache-2.0
#include "cli/status.h"

#include <poll.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/interrupt.h"
#include "cli/mesh_readiness.h"
#include "cli/router_client.h"
#include "cli/status_json.h"
#include "cli/status_table.h"
#include "core/status_macros.h"

namespace mesh::cli {
namespace {

constexpr absl::Duration kConnectLimit = absl::Seconds(5);
constexpr absl::Duration kWatchPeriod = absl::Seconds(1);
constexpr absl::Duration kWaitPeriod = absl::Milliseconds(200);
// Where progress is kept, as in a log, lines are rare.
constexpr absl::Duration kNotePeriod = absl::Seconds(2);
// Moves the cursor home and wipes what is below.
constexpr char kRedraw[] = "\033[H\033[J";

// Sleeps; a signal ends it early.
void Pause(absl::Duration duration) {
  poll(nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(duration)));
}

// A router that may come and go.
class RouterWatch {
 public:
  explicit RouterWatch(const MeshTarget& target) : target_(target) {}

  absl::StatusOr<MeshState> GetState(bool with_load) {
    if (client_ == nullptr) {
      ASSIGN_OR_RETURN(client_, RouterClient::Connect(target_, kConnectLimit));
    }
    auto state = client_->GetState(with_load);
    if (!state.ok()) client_.reset();
    return state;
  }

 private:
  const MeshTarget target_;
  std::unique_ptr<RouterClient> client_;
};

// Waiting helps against these only; a router that stops cancels its calls.
bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsCancelled(status);
}

absl::Status WaitUntilReady(const StatusOptions& options, RouterWatch& router,
                            Console& console) {
  const absl::Time deadline = absl::Now() + options.wait;
  const bool terminal = isatty(STDERR_FILENO) == 1;
  std::string shown;
  absl::Time shown_at = absl::InfinitePast();
  while (true) {
    const auto state = router.GetState(/*with_load=*/false);
    if (!state.ok() && !MayPass(state.status())) return state.status();
    const std::string missing = state.ok()
                                    ? WhatIsMissing(*state, options.num_nodes)
                                    : std::string(state.status().message());
    if (missing.empty()) {
      console.Status("");
      return absl::OkStatus();
    }
    if (absl::Now() > deadline) {
      console.Status("");
      return absl::DeadlineExceededError(
          absl::StrCat("the mesh is not ready after ",
                       absl::FormatDuration(options.wait), ": ", missing));
    }
    const absl::Time now = absl::Now();
    if (state.ok() && missing != shown &&
        (terminal || now - shown_at > kNotePeriod)) {
      terminal ? console.Status(missing) : console.Note(missing);
      shown = missing;
      shown_at = now;
    }
    Pause(kWaitPeriod);
  }
}

std::string Render(const MeshState& state, const MeshState* before,
                   const StatusOptions& options) {
  if (options.json) return StatusJson(state, /*one_line=*/options.watch);
  std::string text = StatusText(state, before);
  if (options.load) absl::StrAppend(&text, "\n", LoadText(state));
  return text;
}

absl::Status Watch(const StatusOptions& options, RouterWatch& router,
                   Console& console) {
  const ScopedInterrupt interrupt;
  const bool redraw = isatty(STDOUT_FILENO) == 1 && !options.json;
  std::optional<MeshState> before;
  while (!interrupt.Noted() && console.AnswersArrived()) {
    auto state = router.GetState(options.load);
    if (redraw) console.Answer(kRedraw);
    if (state.ok()) {
      console.Answer(
          Render(*state, before.has_value() ? &*before : nullptr, options));
      before = *std::move(state);
    } else if (MayPass(state.status())) {
      console.Note(state.status().message());
    } else {
      return state.status();
    }
    if (!interrupt.Noted()) Pause(kWatchPeriod);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunStatus(const StatusOptions& options, Console& console) {
  RouterWatch router(options.router);
  if (options.wait > absl::ZeroDuration()) {
    RETURN_IF_ERROR(WaitUntilReady(options, router, console));
  }
  if (options.watch) return Watch(options, router, console);
  ASSIGN_OR_RETURN(const MeshState state, router.GetState(options.load));
  console.Answer(Render(state, nullptr, options));
  return absl::OkStatus();
}

}  // namespace mesh::cli
