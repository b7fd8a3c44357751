// SPDX-License-Identifier: Apache-2.0
// Built with exceptions, which the exposer's constructor throws.
#include "service/metrics.h"

#include <prometheus/exposer.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "service/host_port.h"
#include "service/process_metrics.h"
#include "service/version.h"

namespace mesh::service {
namespace {

absl::StatusOr<std::unique_ptr<prometheus::Exposer>> Listen(
    const HostPort& address) {
  const std::vector<std::string> options = {
      "listening_ports",    address.ToString(),
      "num_threads",        "2",
      "request_timeout_ms", "5000",
      "max_request_size",   "8192"};
  try {
    return std::make_unique<prometheus::Exposer>(options);
  } catch (const std::exception&) {  // says only that it failed
    return absl::UnavailableError(
        absl::StrCat("address ", address.ToString(),
                     ": metrics cannot be served there; choose another with ",
                     "--metrics-listen"));
  }
}

// The exposer's server notices its end every two seconds, or when somebody
// connects.
void Stop(std::unique_ptr<prometheus::Exposer> exposer,
          const HostPort& address) {
  std::atomic<bool> stopped = false;
  std::thread caller([&] {
    while (!stopped) {
      TryConnect(address);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  exposer.reset();
  stopped = true;
  caller.join();
}

}  // namespace

struct Metrics::State {
  std::shared_ptr<prometheus::Registry> registry;
  std::shared_ptr<ProcessMetrics> process;
  HostPort address;
  std::unique_ptr<prometheus::Exposer> exposer;
};

absl::StatusOr<std::unique_ptr<Metrics>> Metrics::Start(
    const std::string& listen, const std::string& role) {
  auto state = std::make_unique<State>();
  state->registry = std::make_shared<prometheus::Registry>();
  state->process = std::make_shared<ProcessMetrics>();
  prometheus::BuildGauge()
      .Name("mesh_build_info")
      .Help("1, labelled with what runs.")
      .Register(*state->registry)
      .Add({{"role", role}, {"version", std::string(Version())}})
      .Set(1);
  if (!listen.empty()) {
    ASSIGN_OR_RETURN(state->address, ParseHostPort(listen));
    RETURN_IF_ERROR(CheckBindable(state->address, "--metrics-listen"));
    ASSIGN_OR_RETURN(state->exposer, Listen(state->address));
    state->exposer->RegisterCollectable(state->registry);
    state->exposer->RegisterCollectable(state->process);
    state->address.port = state->exposer->GetListeningPorts().front();
  }
  return std::unique_ptr<Metrics>(new Metrics(std::move(state)));
}

Metrics::Metrics(std::unique_ptr<State> state) : state_(std::move(state)) {
  if (state_->exposer != nullptr) address_ = state_->address.ToString();
}

Metrics::~Metrics() {
  if (state_->exposer == nullptr) return;
  Stop(std::move(state_->exposer), state_->address);
}

prometheus::Registry& Metrics::Registry() { return *state_->registry; }

void Metrics::Add(const std::shared_ptr<prometheus::Collectable>& collectable) {
  if (state_->exposer == nullptr) return;
  state_->exposer->RegisterCollectable(collectable);
}

std::string Metrics::Text() const {
  std::vector<prometheus::MetricFamily> families = state_->registry->Collect();
  std::vector<prometheus::MetricFamily> process = state_->process->Collect();
  families.insert(families.end(), std::make_move_iterator(process.begin()),
                  std::make_move_iterator(process.end()));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace mesh::service
