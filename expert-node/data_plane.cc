// SPDX-License-Identifier: Apache-2.0
#include "expert-node/data_plane.h"

#include <utility>

#include "absl/time/time.h"
#include "core/status_macros.h"

namespace mesh::expert {
namespace {

// Wake() ends a wait; this only bounds what a lost one could cost.
constexpr absl::Duration kLongestWait = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::unique_ptr<DataPlane>> DataPlane::Create(
    const ExpertNode::Options& options, ExpertShard& shard,
    std::unique_ptr<router::Transport> transport, const Clock& clock) {
  std::unique_ptr<DataPlane> plane(new DataPlane(std::move(transport)));
  ASSIGN_OR_RETURN(plane->node_, ExpertNode::Create(options, shard,
                                                    *plane->transport_, clock));
  return plane;
}

DataPlane::~DataPlane() { Stop(); }

void DataPlane::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void DataPlane::Stop() {
  stopping_ = true;
  transport_->Wake();
  if (thread_.joinable()) thread_.join();
}

ExpertNodeCounters DataPlane::Counters() const {
  MutexLock lock(mutex_);
  return counters_;
}

void DataPlane::Loop() {
  while (true) {
    // Read first: what had arrived by then is still answered.
    const bool last = stopping_;
    const int num_frames = node_->Poll();
    if (num_frames > 0) {
      MutexLock lock(mutex_);
      counters_ = node_->Counters();
    }
    if (last) return;
    if (num_frames == 0) transport_->Wait(kLongestWait);
  }
}

}  // namespace mesh::expert
