// SPDX-License-Identifier: Apache-2.0
// What the guarded port costs against a port of gRPC's own: latency of a unary
// call, messages and bytes a second of a stream down, bytes a second up. Both
// ports in one process, in turn, and the ratio of each round.
//
//   grpc_port_bench [ROUNDS]     7 if not given
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/check.h"
#include "core/clock.h"
#include "gateway/grpc_port/grpc_port.h"
#include "service/grpc_channel.h"
#include "service/grpc_server.h"
#include "tests/gateway/grpc_port/echo_service.h"

namespace {

using mesh::gateway::v1::InferenceService;
using Stub = InferenceService::Stub;

constexpr int kCalls = 2000;
constexpr uint32_t kMessages = 50000;
constexpr size_t kUploadBytes = 3 << 20;
constexpr int kUploads = 20;

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Call(Stub& stub, size_t bytes) {
  grpc::ClientContext context;
  mesh::gateway::v1::TokenizeRequest request;
  request.set_text(std::string(bytes, 'x'));
  mesh::gateway::v1::TokenizeResponse response;
  MESH_CHECK(stub.Tokenize(&context, request, &response).ok());
}

// Microseconds, the median.
double UnaryLatency(Stub& stub) {
  std::vector<double> times;
  for (int i = 0; i < kCalls; ++i) {
    const absl::Time start = absl::Now();
    Call(stub, 32);
    times.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
  }
  return Median(std::move(times));
}

// Messages of a token a second.
double StreamRate(Stub& stub) {
  grpc::ClientContext context;
  mesh::gateway::v1::GenerateRequest request;
  request.set_max_tokens(kMessages);
  const absl::Time start = absl::Now();
  const auto reader = stub.Generate(&context, request);
  mesh::gateway::v1::GenerateResponse response;
  uint32_t num_read = 0;
  while (reader->Read(&response)) ++num_read;
  MESH_CHECK(reader->Finish().ok() && num_read == kMessages);
  return kMessages / absl::ToDoubleSeconds(absl::Now() - start);
}

// MB/s of large requests.
double UploadRate(Stub& stub) {
  const absl::Time start = absl::Now();
  for (int i = 0; i < kUploads; ++i) Call(stub, kUploadBytes);
  return 1e-6 * kUploads * kUploadBytes /
         absl::ToDoubleSeconds(absl::Now() - start);
}

void Compare(const char* what, int rounds, Stub& plain, Stub& guarded,
             const std::function<double(Stub&)>& measure) {
  std::vector<double> of_plain;
  std::vector<double> of_guarded;
  std::vector<double> ratios;
  for (int r = 0; r <= rounds; ++r) {
    const double a = measure(plain);
    const double b = measure(guarded);
    if (r == 0) continue;  // warms up
    of_plain.push_back(a);
    of_guarded.push_back(b);
    ratios.push_back(b / a);
  }
  std::printf("%-22s %12.1f %12.1f %8.2f\n", what, Median(of_plain),
              Median(of_guarded), Median(ratios));
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 7;
  mesh::gateway::EchoService service;
  mesh::service::GrpcServer::Options options;
  options.services = {&service};
  const auto plain = mesh::service::GrpcServer::Start(options).value();
  options.external_connections = true;
  const auto inner = mesh::service::GrpcServer::Start(options).value();
  const mesh::RealClock clock;
  const auto port =
      mesh::gateway::GuardedGrpcPort::Start({}, inner->Connections(), clock)
          .value();
  const auto stub_of = [](const std::string& address) {
    return InferenceService::NewStub(
        mesh::service::MakeChannel(address, {}).value());
  };
  const auto plain_stub = stub_of(plain->Address());
  const auto guarded_stub = stub_of(port->Address());
  std::printf("median of %d rounds\n%-22s %12s %12s %8s\n", rounds, "", "plain",
              "guarded", "ratio");
  Compare("unary call, us", rounds, *plain_stub, *guarded_stub, UnaryLatency);
  Compare("stream, messages/s", rounds, *plain_stub, *guarded_stub, StreamRate);
  Compare("3 MiB requests, MB/s", rounds, *plain_stub, *guarded_stub,
          UploadRate);
}
