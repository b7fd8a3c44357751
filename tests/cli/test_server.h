// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <initializer_list>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cli/mesh_target.h"

namespace mesh::cli {

// Serves fakes on a free port of loopback.
class TestServer {
 public:
  explicit TestServer(std::initializer_list<grpc::Service*> services) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    for (grpc::Service* service : services) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~TestServer() { server_->Shutdown(); }

  MeshTarget Target() const { return {address_, {}}; }

 private:
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace mesh::cli
