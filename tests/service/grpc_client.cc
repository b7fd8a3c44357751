// SPDX-License-Identifier: Apache-2.0
#include "tests/service/grpc_client.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <vector>

#include "core/check.h"
#include "core/status_macros.h"
#include "service/grpc_status.h"

namespace mesh::service {
namespace {

grpc::ByteBuffer Encode(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

std::string Decode(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  MESH_CHECK(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

void SetLimit(grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() +
                        std::chrono::seconds(10));
}

// Whether the operation that was started last succeeded.
bool Done(grpc::CompletionQueue* queue) {
  void* tag = nullptr;
  bool ok = false;
  return queue->Next(&tag, &ok) && ok;
}

}  // namespace

absl::StatusOr<std::string> CallRaw(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
    const std::string& request) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  SetLimit(&context);
  grpc::CompletionQueue queue;
  const auto call =
      stub.PrepareUnaryCall(&context, method, Encode(request), &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  MESH_CHECK(Done(&queue));
  RETURN_IF_ERROR(FromGrpc(status));
  return Decode(response);
}

absl::StatusOr<std::string> StreamRaw(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
    const std::string& request) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  SetLimit(&context);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, method, &queue);
  call->StartCall(nullptr);
  bool ok = Done(&queue);
  if (ok) {
    call->WriteLast(Encode(request), {}, nullptr);
    ok = Done(&queue);
  }
  grpc::ByteBuffer response;
  if (ok) {
    call->Read(&response, nullptr);
    ok = Done(&queue);
  }
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  MESH_CHECK(Done(&queue));
  if (!ok) return FromGrpc(status);
  return Decode(response);
}

absl::StatusOr<Serving> CheckHealth(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& name) {
  // HealthCheckRequest.service is field 1; HealthCheckResponse.status too.
  std::string request;
  if (!name.empty()) {
    request = std::string("\x0a") + static_cast<char>(name.size()) + name;
  }
  ASSIGN_OR_RETURN(const std::string response,
                   CallRaw(channel, "/grpc.health.v1.Health/Check", request));
  const char last = response.empty() ? '\0' : response.back();
  if (last == 1) return Serving::kServing;
  return last == 2 ? Serving::kNotServing : Serving::kUnknown;
}

}  // namespace mesh::service
