// SPDX-License-Identifier: Apache-2.0
#include "router/control/placement_service.h"

#include <chrono>

#include "tests/router/control/router_fixture.h"

namespace mesh::router {
namespace {

using ::testing::HasSubstr;

constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

class PlacementServiceTest : public RouterFixture {
 protected:
  void Begin() {
    StartRouter(QuickOptions());
    expert_ = JoinExpert("expert-0");
    attention_ = JoinAttention("attention-0");
    ASSERT_TRUE(attention_->AwaitPlacement(1));
  }
  v1::Placement Active() {
    v1::GetPlacementResponse response;
    EXPECT_OK(
        Call<v1::PlacementService>(&v1::PlacementService::Stub::GetPlacement,
                                   v1::GetPlacementRequest(), &response));
    return response.placement();
  }
  absl::Status Activate(const v1::Placement& placement) {
    v1::ActivatePlacementRequest request;
    *request.mutable_placement() = placement;
    v1::ActivatePlacementResponse response;
    return Call<v1::PlacementService>(
        &v1::PlacementService::Stub::ActivatePlacement, request, &response);
  }
  absl::StatusOr<v1::ExpertLoadTable> Load(v1::LoadWindow window,
                                           uint32_t layer) {
    v1::GetExpertLoadRequest request;
    request.set_window(window);
    request.add_layers(layer);
    v1::GetExpertLoadResponse response;
    absl::Status status = Call<v1::PlacementService>(
        &v1::PlacementService::Stub::GetExpertLoad, request, &response);
    if (!status.ok()) return status;
    return response.load();
  }

  std::unique_ptr<SoundNode> expert_;
  std::unique_ptr<SoundNode> attention_;
};

v1::JoinRequest LoadReport(uint32_t layer, uint32_t expert, uint64_t total) {
  v1::JoinRequest request;
  v1::ExpertLoad& load = *request.mutable_load()->add_experts();
  load.set_layer(layer);
  load.set_expert(expert);
  load.set_tokens_total(total);
  return request;
}

TEST_F(PlacementServiceTest, ThereIsNothingBeforeTheFirstNode) {
  StartRouter(QuickOptions());
  v1::GetPlacementResponse response;
  EXPECT_THAT(
      Call<v1::PlacementService>(&v1::PlacementService::Stub::GetPlacement,
                                 v1::GetPlacementRequest(), &response),
      StatusIs(kPrecondition, HasSubstr("no placement yet")));
  EXPECT_THAT(Load(v1::LOAD_WINDOW_TOTAL, 1), StatusIs(kPrecondition));
}

TEST_F(PlacementServiceTest, AnOperatorsTableMustBeTheNextOne) {
  Begin();
  const v1::Placement active = Active();
  ASSERT_EQ(active.epoch() >> 32, 1U);
  const auto activate = [&](uint64_t epoch) {
    v1::Placement placement = active;
    placement.set_epoch(epoch);
    return Activate(placement);
  };
  EXPECT_THAT(activate(2),
              StatusIs(absl::StatusCode::kAborted,
                       "stale_term: the placement is of term 0, this router's "
                       "is 1"));
  EXPECT_THAT(activate(active.epoch()), StatusIs(kPrecondition));
  EXPECT_THAT(activate(active.epoch() + 2),
              StatusIs(kPrecondition, HasSubstr("the next one is")));
  EXPECT_OK(activate(active.epoch() + 1));
  EXPECT_TRUE(attention_->AwaitPlacement(1, active.epoch()));
  EXPECT_TRUE(expert_->AwaitPlacement(1, active.epoch()));
  EXPECT_EQ(expert_->Look().loaded, kAllExperts);
}

TEST_F(PlacementServiceTest, AnOperatorsTableMustCoverEveryExpert) {
  Begin();
  v1::Placement next = Active();
  next.set_epoch(next.epoch() + 1);

  v1::Placement hole = next;
  v1::LayerPlacement& layer = *hole.mutable_layers(0);
  layer.clear_replicas();
  for (int e = 0; e < kNumExperts; ++e) layer.add_replicas(e == 7 ? 0 : 1);
  layer.mutable_ordinals()->RemoveLast();
  EXPECT_THAT(Activate(hole),
              StatusIs(kPrecondition,
                       "uncovered_expert: expert 7 of layer 1 has no replica"));
  v1::Placement short_of_a_layer = next;
  short_of_a_layer.mutable_layers()->RemoveLast();
  EXPECT_THAT(Activate(short_of_a_layer),
              StatusIs(kPrecondition, HasSubstr("uncovered_expert")));
  v1::Placement more = next;
  *more.add_layers() = next.layers(0);
  more.mutable_layers(2)->set_layer(5);
  EXPECT_THAT(Activate(more), StatusIs(kPrecondition, HasSubstr("3 layers")));
  v1::Placement elsewhere = next;
  elsewhere.mutable_nodes(0)->set_node_id(77);
  EXPECT_THAT(Activate(elsewhere),
              StatusIs(kPrecondition, HasSubstr("node 77")));
  EXPECT_THAT(Activate({}), StatusIs(absl::StatusCode::kInvalidArgument));

  EXPECT_OK(Activate(next));
  EXPECT_TRUE(attention_->AwaitPlacement(1, next.epoch() - 1));
}

TEST_F(PlacementServiceTest, GetExpertLoadCountsWhatWasReported) {
  Begin();
  RawNode node(Address(),
               SoundHello(common::v1::ROLE_ATTENTION, "attention-1"));
  node.Send(LoadReport(2, 3, 40));
  node.Send(LoadReport(2, 3, 40));
  node.Send(LoadReport(2, 5, 8));
  ASSERT_TRUE(node.Sync());
  for (const auto window : {v1::LOAD_WINDOW_5M, v1::LOAD_WINDOW_TOTAL}) {
    const auto load = Load(window, 2);
    ASSERT_OK(load);
    ASSERT_EQ(load->layers_size(), 1);
    EXPECT_EQ(load->layers(0).tokens_size(), kNumExperts);
    EXPECT_EQ(load->layers(0).tokens(3), 40U);
    EXPECT_EQ(load->layers(0).tokens(5), 8U);
    EXPECT_DOUBLE_EQ(load->layers(0).imbalance(), 40.0 / 3);
  }
  EXPECT_THAT(Load(v1::LOAD_WINDOW_TOTAL, 9),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Load(v1::LOAD_WINDOW_TOTAL, UINT32_MAX),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(PlacementServiceTest, WatchExpertLoadShowsWhatComes) {
  Begin();
  const auto channel = service::MakeChannel(Address(), {});
  ASSERT_OK(channel);
  const auto stub = v1::PlacementService::NewStub(*channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
  v1::WatchExpertLoadRequest request;
  request.set_window(v1::LOAD_WINDOW_TOTAL);
  const auto watch = stub->WatchExpertLoad(&context, request);
  v1::WatchExpertLoadResponse response;
  ASSERT_TRUE(watch->Read(&response));
  ASSERT_EQ(response.load().layers_size(), kNumLayers);
  EXPECT_EQ(response.load().layers(0).tokens(2), 0U);

  RawNode node(Address(),
               SoundHello(common::v1::ROLE_ATTENTION, "attention-1"));
  node.Send(LoadReport(1, 2, 17));
  ASSERT_TRUE(node.Sync());
  while (response.load().layers(0).tokens(2) == 0) {
    ASSERT_TRUE(watch->Read(&response));
  }
  EXPECT_EQ(response.load().layers(0).tokens(2), 17U);
  context.TryCancel();
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_OK(Load(v1::LOAD_WINDOW_TOTAL, 1));
}

}  // namespace
}  // namespace mesh::router
