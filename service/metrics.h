// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace prometheus {
class Collectable;
class Registry;
}  // namespace prometheus

namespace mesh::service {

// The metrics of one process and the port they are read from. Names are
// mesh_*, units are base units; registering returns prometheus-cpp objects that
// are kept, never looked up again on a hot path.
class Metrics {
 public:
  // Serves /metrics on host:port; nothing if `listen` is empty.
  // Errors: kInvalidArgument for a malformed address; kAlreadyExists if the
  // port is taken.
  static absl::StatusOr<std::unique_ptr<Metrics>> Start(
      const std::string& listen, const std::string& role);
  ~Metrics();

  prometheus::Registry& Registry();
  // Also serves what `collectable` makes at each scrape, on the exposer's
  // threads, while it lives.
  void Add(const std::shared_ptr<prometheus::Collectable>& collectable);
  // What a scrape would give, of everything but Add()'s, in Prometheus' text
  // format. For processes that serve /metrics on a port of their own as well.
  std::string Text() const;
  // host:port with the port that was really taken; empty if there is none.
  const std::string& Address() const { return address_; }

 private:
  struct State;
  explicit Metrics(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
  std::string address_;
};

}  // namespace mesh::service
