// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace mesh::router {

// A dispatch frame's id is its batch's handle and its index in the batch.
inline constexpr int kFrameIndexBits = 20;
inline constexpr uint64_t kMaxFrames = uint64_t{1} << kFrameIndexBits;

inline uint64_t FrameId(uint64_t handle, uint64_t index) {
  return handle << kFrameIndexBits | index;
}
inline uint64_t HandleOf(uint64_t frame_id) {
  return frame_id >> kFrameIndexBits;
}
inline uint64_t IndexOf(uint64_t frame_id) { return frame_id % kMaxFrames; }

}  // namespace mesh::router
