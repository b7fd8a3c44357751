// SPDX-License-Identifier: Apache-2.0
#include "tests/expert-node/fake_router.h"

#include <grpcpp/server_builder.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"

namespace mesh::expert {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(30);

}  // namespace

FakeRouter::FakeRouter() {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  MESH_CHECK(server_ != nullptr);
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeRouter::~FakeRouter() {
  server_->Shutdown(std::chrono::system_clock::now());
}

void FakeRouter::RefuseWith(const grpc::Status& status) {
  MutexLock lock(mutex_);
  refusal_ = status;
}

grpc::Status FakeRouter::Join(grpc::ServerContext* /*context*/,
                              Stream* stream) {
  {
    MutexLock lock(mutex_);
    if (!refusal_.ok()) return refusal_;
    stream_ = stream;
  }
  router::v1::JoinRequest request;
  while (stream->Read(&request)) Heard(request);
  MutexLock lock(mutex_);
  stream_ = nullptr;
  return grpc::Status::OK;
}

void FakeRouter::Heard(const router::v1::JoinRequest& request) {
  MutexLock lock(mutex_);
  if (request.has_heartbeat()) {
    status_ = request.heartbeat().status();
    router::v1::JoinResponse response;
    response.mutable_heartbeat_ack()->set_sequence(
        request.heartbeat().sequence());
    stream_->Write(response);
  } else {
    heard_.push_back(request);
  }
  changed_.NotifyAll();
}

std::optional<router::v1::JoinRequest> FakeRouter::Next() {
  MutexLock lock(mutex_);
  while (heard_.empty()) {
    if (!changed_.WaitFor(mutex_, kLimit)) return std::nullopt;
  }
  router::v1::JoinRequest request = std::move(heard_.front());
  heard_.pop_front();
  return request;
}

router::v1::NodeStatus FakeRouter::Status() {
  MutexLock lock(mutex_);
  while (!status_.has_value()) {
    if (!changed_.WaitFor(mutex_, kLimit)) return {};
  }
  return *status_;
}

void FakeRouter::Send(const router::v1::JoinResponse& response) {
  MutexLock lock(mutex_);
  MESH_CHECK(stream_ != nullptr);
  stream_->Write(response);
}

void FakeRouter::SendOrder(uint64_t epoch, router::v1::HostingPhase phase,
                           uint32_t layer,
                           const std::vector<uint32_t>& experts) {
  router::v1::JoinResponse response;
  router::v1::HostingOrder& order = *response.mutable_hosting();
  order.set_epoch(epoch);
  order.set_phase(phase);
  for (const uint32_t expert : experts) {
    common::v1::ExpertKey& key = *order.add_experts();
    key.set_layer(layer);
    key.set_expert(expert);
  }
  Send(response);
}

void FakeRouter::Welcome() {
  router::v1::JoinResponse response;
  router::v1::Welcome& welcome = *response.mutable_welcome();
  welcome.set_node_id(42);
  welcome.set_term(1);
  welcome.set_protocol_version(1);
  welcome.set_heartbeat_interval_ms(50);
  welcome.set_lease_ms(2000);
  Send(response);
}

}  // namespace mesh::expert
