// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "mesh/router/v1/membership_service.pb.h"
#include "router/placement/placement.h"

namespace mesh::router {

// The model of these tests: layers 1 and 2 of 16 experts.
constexpr int kNumLayers = 2;
constexpr int kNumExperts = 16;
constexpr int kAllExperts = kNumLayers * kNumExperts;

// What a node that nothing is wrong with says first. Expert nodes have room for
// the whole model, and nothing in memory.
v1::JoinHello SoundHello(common::v1::Role role, const std::string& name);

// With the digest that every sound node has for the expert.
common::v1::Holding HoldingOf(const ExpertKey& key);

}  // namespace mesh::router
