// SPDX-License-Identifier: Apache-2.0
#include "tests/support/mesh_client.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include <chrono>
#include <vector>

#include "core/check.h"
#include "core/mutex.h"
#include "mesh/attention/v1/attention_service.grpc.pb.h"
#include "mesh/expert/v1/expert_service.grpc.pb.h"
#include "mesh/router/v1/membership_service.grpc.pb.h"
#include "mesh/router/v1/placement_service.grpc.pb.h"
#include "service/grpc_status.h"

namespace mesh {
namespace {

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(5));
}

template <typename Response, typename Stub, typename Request>
absl::StatusOr<Response> Call(Stub& stub,
                              grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                           const Request&,
                                                           Response*),
                              const Request& request) {
  grpc::ClientContext context;
  SetDeadline(context);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return service::FromGrpc(status);
  return response;
}

// HealthCheckRequest and HealthCheckResponse are one field each: number 1.
grpc::ByteBuffer HealthRequest(const std::string& service) {
  std::string bytes = "\x0a";
  bytes += static_cast<char>(service.size());
  bytes += service;
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

bool IsServing(const grpc::ByteBuffer& response) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!response.Dump(&slices).ok()) return false;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes == "\x08\x01";
}

}  // namespace

std::shared_ptr<grpc::Channel> MeshClient::Channel(const std::string& address) {
  std::shared_ptr<grpc::Channel>& channel = channels_[address];
  if (channel == nullptr) {
    auto made = service::MakeChannel(address, options_);
    MESH_CHECK(made.ok());
    channel = *std::move(made);
  }
  return channel;
}

absl::StatusOr<router::v1::ListNodesResponse> MeshClient::ListNodes(
    const std::string& router) {
  using Stub = router::v1::MembershipService::Stub;
  Stub stub(Channel(router));
  return Call<router::v1::ListNodesResponse>(stub, &Stub::ListNodes,
                                             router::v1::ListNodesRequest());
}

absl::Status MeshClient::DrainNode(const std::string& router,
                                   const std::string& name) {
  using Stub = router::v1::MembershipService::Stub;
  Stub stub(Channel(router));
  router::v1::DrainNodeRequest request;
  request.set_name(name);
  return Call<router::v1::DrainNodeResponse>(stub, &Stub::DrainNode, request)
      .status();
}

absl::StatusOr<router::v1::Placement> MeshClient::GetPlacement(
    const std::string& router) {
  using Stub = router::v1::PlacementService::Stub;
  Stub stub(Channel(router));
  auto response = Call<router::v1::GetPlacementResponse>(
      stub, &Stub::GetPlacement, router::v1::GetPlacementRequest());
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_placement());
}

absl::StatusOr<router::v1::ExpertLoadTable> MeshClient::GetExpertLoad(
    const std::string& router, router::v1::LoadWindow window) {
  using Stub = router::v1::PlacementService::Stub;
  Stub stub(Channel(router));
  router::v1::GetExpertLoadRequest request;
  request.set_window(window);
  auto response = Call<router::v1::GetExpertLoadResponse>(
      stub, &Stub::GetExpertLoad, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_load());
}

absl::StatusOr<attention::v1::GetStatsResponse> MeshClient::AttentionStats(
    const std::string& address) {
  using Stub = attention::v1::AttentionService::Stub;
  Stub stub(Channel(address));
  return Call<attention::v1::GetStatsResponse>(
      stub, &Stub::GetStats, attention::v1::GetStatsRequest());
}

absl::StatusOr<attention::v1::ProbeExpertNodesResponse>
MeshClient::ProbeExpertNodes(const std::string& address) {
  using Stub = attention::v1::AttentionService::Stub;
  Stub stub(Channel(address));
  return Call<attention::v1::ProbeExpertNodesResponse>(
      stub, &Stub::ProbeExpertNodes, attention::v1::ProbeExpertNodesRequest());
}

absl::StatusOr<expert::v1::GetStatsResponse> MeshClient::ExpertStats(
    const std::string& address) {
  using Stub = expert::v1::ExpertService::Stub;
  Stub stub(Channel(address));
  return Call<expert::v1::GetStatsResponse>(stub, &Stub::GetStats,
                                            expert::v1::GetStatsRequest());
}

absl::Status MeshClient::CheckHealth(const std::string& address,
                                     const std::string& service) {
  // All that the callback touches, which may come after the deadline.
  struct Answer {
    grpc::ClientContext context;
    grpc::ByteBuffer request;
    grpc::ByteBuffer response;
    Mutex mutex;
    CondVar done_changed;
    bool done = false;
    grpc::Status status;
  };
  const auto answer = std::make_shared<Answer>();
  SetDeadline(answer->context);
  answer->request = HealthRequest(service);
  grpc::GenericStub(Channel(address))
      .UnaryCall(&answer->context, "/grpc.health.v1.Health/Check",
                 grpc::StubOptions(), &answer->request, &answer->response,
                 [answer](const grpc::Status& status) {
                   const MutexLock lock(answer->mutex);
                   answer->status = status;
                   answer->done = true;
                   answer->done_changed.NotifyAll();
                 });
  const MutexLock lock(answer->mutex);
  while (!answer->done) answer->done_changed.Wait(answer->mutex);
  if (!answer->status.ok()) return service::FromGrpc(answer->status);
  return IsServing(answer->response)
             ? absl::OkStatus()
             : absl::UnavailableError("'" + service + "' is NOT_SERVING");
}

}  // namespace mesh
