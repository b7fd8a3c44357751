// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/router/control/fake_mesh.h"

namespace mesh::router {

constexpr size_t kAll = 2 * 16;  // experts of the fake model

// Two attention nodes, a gateway and some expert nodes, at work.
class ControllerTest : public ::testing::Test {
 protected:
  void Begin(int num_experts, const FakeMesh::Options& options) {
    mesh_ = std::make_unique<FakeMesh>(options);
    for (int n = 0; n < num_experts; ++n) {
      mesh_->AddExpert("expert-" + std::to_string(n));
    }
    mesh_->AddAttention("attention-0");
    mesh_->AddAttention("attention-1");
    mesh_->AddGateway("gateway-0");
    mesh_->Run(absl::Seconds(3));
    ASSERT_TRUE(mesh_->IsCovered());
  }
  void Begin(int num_experts) { Begin(num_experts, FakeMesh::Options()); }
  void BeginWithReplicas(int num_experts, int num_replicas) {
    FakeMesh::Options options;
    options.controller.placement.num_replicas = num_replicas;
    Begin(num_experts, options);
  }
  void ExpectAllAdopted() {
    EXPECT_TRUE(mesh_->IsCovered());
    for (const char* name : {"attention-0", "attention-1"}) {
      const FakeNode& node = (*mesh_)[name];
      ASSERT_NE(node.table, nullptr);
      EXPECT_EQ(node.table->placement->Epoch(), mesh_->Epoch());
      EXPECT_TRUE(node.adopted);
    }
    EXPECT_EQ(mesh_->Control().Activity(), "");
  }

  std::unique_ptr<FakeMesh> mesh_;
};

}  // namespace mesh::router
