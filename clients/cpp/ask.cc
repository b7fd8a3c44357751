// SPDX-License-Identifier: Apache-2.0
// Asks a mesh one question:
//
//   ask QUESTION [HOST:PORT]
//
// The answer goes to standard output, its thinking to standard error.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>
#include <string>

#include "mesh/gateway/v1/inference_service.grpc.pb.h"

namespace {

namespace api = mesh::gateway::v1;

api::GenerateRequest RequestFor(const std::string& question) {
  api::GenerateRequest request;
  api::Message* message = request.mutable_messages()->add_messages();
  message->set_role("user");
  message->set_content(question);
  request.mutable_sampling()->set_temperature(0);
  return request;
}

grpc::Status Ask(api::InferenceService::Stub& stub,
                 const std::string& question) {
  grpc::ClientContext context;  // one for each call
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::minutes(10));
  const auto reader = stub.Generate(&context, RequestFor(question));
  api::GenerateResponse event;
  while (reader->Read(&event)) {
    std::cerr << event.delta().reasoning_text() << std::flush;
    std::cout << event.delta().text() << std::flush;
    if (event.has_completed()) {
      std::cerr << "\n[" << event.completed().usage().completion_tokens()
                << " tokens]\n";
    }
  }
  std::cout << "\n";
  return reader->Finish();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: ask QUESTION [HOST:PORT]\n";
    return 78;
  }
  const std::string address = argc == 3 ? argv[2] : "127.0.0.1:9400";
  const auto stub = api::InferenceService::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  const grpc::Status status = Ask(*stub, argv[1]);
  if (status.ok()) return 0;
  std::cerr << "ask: " << status.error_message() << "\n";
  return 69;
}
