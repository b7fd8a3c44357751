// SPDX-License-Identifier: Apache-2.0
#include "cli/mesh_readiness.h"

#include "gtest/gtest.h"
#include "tests/cli/mesh_state_maker.h"

namespace mesh::cli {
namespace {

TEST(WhatIsMissing, NothingInAMeshAtWork) {
  EXPECT_EQ(WhatIsMissing(MakeMesh(), 0), "");
  EXPECT_EQ(WhatIsMissing(MakeMesh(), 4), "");
}

TEST(WhatIsMissing, NodesThatHaveNotJoined) {
  EXPECT_EQ(WhatIsMissing(MakeMesh(), 7), "4 of 7 nodes are ready");
}

TEST(WhatIsMissing, NodesThatLoad) {
  MeshState mesh = MakeMesh();
  mesh.nodes[1].health = NodeHealth::kLoading;
  mesh.nodes[3].health = NodeHealth::kLoading;
  mesh.nodes[3].activity = "loading experts 120/512, 4 s left";
  EXPECT_EQ(WhatIsMissing(mesh, 0),
            "2 of 4 nodes are ready: attention-0 is starting; expert-1 loading "
            "experts 120/512, 4 s left");
}

TEST(WhatIsMissing, NodesThatAreGoneDoNotCount) {
  MeshState mesh = MakeMesh();
  mesh.nodes[3].health = NodeHealth::kGone;
  EXPECT_EQ(WhatIsMissing(mesh, 0), "");
  EXPECT_EQ(WhatIsMissing(mesh, 4), "3 of 4 nodes are ready");
}

TEST(WhatIsMissing, APlacement) {
  MeshState mesh = MakeMesh();
  mesh.active_epoch = 0;
  EXPECT_EQ(WhatIsMissing(mesh, 0), "no placement is active yet");
  mesh.activity = "waiting for 2 more expert nodes";
  EXPECT_EQ(WhatIsMissing(mesh, 0),
            "no placement is active yet: waiting for 2 more expert nodes");
}

TEST(WhatIsMissing, EachRole) {
  MeshState mesh = MakeMesh();
  mesh.nodes[0].health = NodeHealth::kDraining;
  EXPECT_EQ(WhatIsMissing(mesh, 0), "no gateway is ready");
  mesh.nodes[1].health = NodeHealth::kGone;
  EXPECT_EQ(WhatIsMissing(mesh, 0), "no attention node is ready");
  mesh.nodes.resize(2);
  EXPECT_EQ(WhatIsMissing(mesh, 0), "no expert node is ready");
}

}  // namespace
}  // namespace mesh::cli
