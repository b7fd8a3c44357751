// SPDX-License-Identifier: Apache-2.0
#include "tests/expert-node/expert_peer.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <cstring>

#include "absl/time/clock.h"
#include "core/flush_denormals.h"
#include "core/status_macros.h"
#include "expert-node/expert_loader.h"
#include "model/model_digest.h"
#include "router/transport/frame_writer.h"
#include "service/grpc_channel.h"
#include "service/grpc_status.h"
#include "service/handshake_proto.h"

namespace mesh::expert {
namespace {

constexpr absl::Duration kAnswerLimit = absl::Seconds(30);

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
}

std::unique_ptr<v1::ExpertService::Stub> StubOf(const std::string& address) {
  return v1::ExpertService::NewStub(*service::MakeChannel(address, {}));
}

}  // namespace

ExpertPeer::ExpertPeer(const std::string& model_dir, const std::string& kernels,
                       const router::DataPlaneOptions& data_plane)
    : kernels_(*kernels::Kernels::Select(kernels)),
      transport_(data_plane.transport),
      checkpoint_(*model::Checkpoint::Open(model_dir)),
      end_(*router::OpenDataPlane(data_plane)) {
  const model::DeepseekConfig& config = checkpoint_->Config();
  wire_.max_frame_bytes = end_.transport->MaxFrameBytes();
  wire_.dtype = kernels_.ActivationDType();
  wire_.hidden_size = config.hidden_size;
  wire_.num_layers = config.num_hidden_layers;
  wire_.num_experts = config.n_routed_experts;
  wire_.num_groups = config.n_group;
}

v1::OpenDataPlaneRequest ExpertPeer::Request() const {
  v1::OpenDataPlaneRequest request;
  *request.mutable_handshake() = service::MakeHandshake(
      model::ModelDigest(*checkpoint_), kernels_.NumericsName());
  request.mutable_node()->set_name("attention-0");
  request.mutable_node()->set_role(common::v1::ROLE_ATTENTION);
  v1::WireShape& wire = *request.mutable_wire();
  wire.set_version(router::kFrameVersion);
  wire.set_dtype(wire_.dtype == DType::kF32 ? "f32" : "bf16");
  wire.set_hidden_size(static_cast<uint32_t>(wire_.hidden_size));
  wire.set_num_layers(static_cast<uint32_t>(wire_.num_layers));
  wire.set_num_experts(static_cast<uint32_t>(wire_.num_experts));
  wire.set_num_groups(static_cast<uint32_t>(wire_.num_groups));
  wire.set_max_frame_bytes(wire_.max_frame_bytes);
  request.set_transport(transport_);
  request.set_address(end_.local_address);
  return request;
}

absl::StatusOr<v1::OpenDataPlaneResponse> ExpertPeer::Open(
    const std::string& address, const v1::OpenDataPlaneRequest& request) {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::OpenDataPlaneResponse response;
  const grpc::Status status =
      StubOf(address)->OpenDataPlane(&context, request, &response);
  if (!status.ok()) return service::FromGrpc(status);
  return response;
}

absl::StatusOr<v1::GetStatsResponse> ExpertPeer::Stats(
    const std::string& address, bool with_holdings) {
  grpc::ClientContext context;
  SetDeadline(context);
  v1::GetStatsRequest request;
  request.set_with_holdings(with_holdings);
  v1::GetStatsResponse response;
  const grpc::Status status =
      StubOf(address)->GetStats(&context, request, &response);
  if (!status.ok()) return service::FromGrpc(status);
  return response;
}

absl::Status ExpertPeer::Link(const std::string& address) {
  ASSIGN_OR_RETURN(const v1::OpenDataPlaneResponse response,
                   Open(address, Request()));
  const router::LinkOffer offer{.address = response.address(),
                                .link_id = response.link_id(),
                                .token = response.token()};
  ASSIGN_OR_RETURN(peer_, end_.transport->Connect(
                              router::ConnectAddress(transport_, offer)));
  return absl::OkStatus();
}

std::vector<std::byte> ExpertPeer::HiddenRow() const {
  const size_t element = SizeOf(wire_.dtype);
  std::vector<std::byte> hidden(element *
                                static_cast<size_t>(wire_.hidden_size));
  for (size_t i = 0; i < static_cast<size_t>(wire_.hidden_size); ++i) {
    const float value = static_cast<float>(i % 7) / 4 - 0.5F;
    const Bf16 rounded = ToBf16(value);
    const void* bytes = wire_.dtype == DType::kF32
                            ? static_cast<const void*>(&value)
                            : static_cast<const void*>(&rounded);
    std::memcpy(hidden.data() + i * element, bytes, element);
  }
  return hidden;
}

absl::Status ExpertPeer::SendRow(const router::ExpertKey& key,
                                 const std::vector<std::byte>& hidden) {
  const router::FrameHeader header{
      .dtype = wire_.dtype,
      .layer = key.layer,
      .origin = 7,
      .frame_id = next_frame_++,
      .hidden_size = static_cast<uint32_t>(wire_.hidden_size),
      .num_rows = 1,
      .num_segments = 1,
      .num_items = 1,
      .remaining_us = 30'000'000};
  ASSIGN_OR_RETURN(router::Frame frame,
                   end_.transport->Allocate(
                       router::DispatchWriter::Layout(header).TotalBytes()));
  router::DispatchWriter writer(header, frame->Bytes());
  writer.SetRow(0, {RequestId{1}, 0, 0}, hidden.data());
  const int group = key.expert.value / wire_.ExpertsPerGroup();
  writer.SetSegment(
      0, {.row = 0, .group = static_cast<uint16_t>(group), .num_items = 1});
  writer.SetItem(0, {key.expert, 1});
  writer.Finish();
  return end_.transport->Send(peer_, std::move(frame));
}

bool ExpertPeer::RowIsRight(const router::ExpertKey& key) {
  const std::vector<std::byte> hidden = HiddenRow();
  answers_.clear();
  if (!SendRow(key, hidden).ok()) return false;
  const absl::Time deadline = absl::Now() + kAnswerLimit;
  while (answers_.empty() && !lost_ && absl::Now() < deadline) {
    if (end_.transport->Poll(*this) == 0) {
      end_.transport->Wait(absl::Milliseconds(100));
    }
  }
  if (answers_.empty()) return false;
  const auto view = router::DecodeCombine(answers_[0]->Bytes(), wire_);
  return view.ok() && view->NumRows() == 1 &&
         view->Header().frame_id == next_frame_ - 1 &&
         std::memcmp(view->RowData(0), ExpectedRow(key, hidden).data(),
                     hidden.size()) == 0;
}

std::vector<std::byte> ExpertPeer::ExpectedRow(
    const router::ExpertKey& key, const std::vector<std::byte>& hidden) {
  const ScopedFlushDenormals flush;
  ThreadPool pool(1);
  ExpertShard shard(kernels_, pool, wire_.hidden_size);
  const absl::Status loaded =
      LoadExperts(*checkpoint_, kernels_, {&key, 1}, pool, shard);
  if (!loaded.ok()) return {};
  const std::vector<int> offsets = {0, 1};
  const auto rows = shard.Forward({.layer = key.layer,
                                   .experts = {&key.expert, 1},
                                   .offsets = offsets,
                                   .hidden = {.dtype = wire_.dtype,
                                              .data = hidden.data(),
                                              .rows = 1,
                                              .cols = wire_.hidden_size,
                                              .stride_bytes = hidden.size()}});
  if (!rows.ok()) return {};
  return {rows->RowData(0), rows->RowData(0) + hidden.size()};
}

void ExpertPeer::OnFrame(PeerId /*from*/, router::Frame frame) {
  answers_.push_back(std::move(frame));
}

void ExpertPeer::OnPeerLost(PeerId /*peer*/, const absl::Status& /*reason*/) {
  lost_ = true;
}

}  // namespace mesh::expert
