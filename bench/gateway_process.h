// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "gateway/gateway_server.h"
#include "service/process_stats.h"

namespace mesh::bench {

// A gateway in a process of its own, so that what it takes can be told from
// what its clients and attention nodes take. Owned by one thread.
class GatewayProcess {
 public:
  // REQUIRES: this process has one thread yet.
  GatewayProcess();
  // Ends the process.
  ~GatewayProcess();

  // Returns once all attention nodes of `options` are connected; the model is
  // tiny-r1 and the HTTP port is any. Prints the error and exits if the gateway
  // cannot start.
  void Start(const gateway::GatewayServer::Options& options);

  // 127.0.0.1:port of the HTTP APIs.
  int HttpPort() const { return http_port_; }
  service::ProcessStats Stats() const;

 private:
  [[noreturn]] static void Run(int in, int out);

  pid_t pid_ = 0;
  int to_child_ = -1;
  int from_child_ = -1;
  int http_port_ = 0;
};

// The options of a gateway that takes any number of connections from here.
gateway::GatewayServer::Options OpenGatewayOptions();

}  // namespace mesh::bench
