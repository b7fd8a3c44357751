// SPDX-License-Identifier: Apache-2.0
// More requests than the mesh can answer: three tenants ask a gateway over HTTP
// at times that do not depend on the answers (Poisson), first as much as the
// mesh can do (C, which is measured before), then three times that, then one of
// them ten times, then less. The gateway is a process of its own; the mesh is
// one attention node with a fixed number of slots and a fixed step.
//
//   overload_bench [--seconds S] [--slots N] [--step-ms T] [--tokens K]
//
// Prints a line for each phase. Of a request that was refused, the true wait is
// how long from then until the first later request of its tenant that was let
// in began; that one stood where the refused one would have stood.
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <deque>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/bench_requests.h"
#include "bench/gateway_process.h"
#include "bench/http_fleet.h"
#include "bench/overload_report.h"
#include "bench/paced_attention_service.h"
#include "core/check.h"
#include "gateway/admission/api_key.h"
#include "service/process_stats.h"
#include "tests/support/temp_dir.h"

namespace mesh::bench {
namespace {

// Of C: what the other tenants ask for in the flood, less than their share.
constexpr double kModest = 0.3;

struct Options {
  int seconds = 10;
  int slots = 24;
  int step_ms = 10;
  int tokens = 20;
};

// All clients.
class Clients final : public HttpWatcher {
 public:
  Clients(int port, std::array<std::string, kTenants> keys, int num_tokens)
      : keys_(std::move(keys)), num_tokens_(num_tokens), fleet_(port, *this) {}

  // Requests a second that are answered in full while twice as many as run
  // at once are there all the time.
  double Calibrate(int num_slots, absl::Duration duration);
  void Run(Phase phase, absl::Duration duration);
  // Until all have been answered.
  void Finish() {
    while (fleet_.NumOpen() > 0) fleet_.Poll(absl::Milliseconds(1));
  }
  const std::vector<Phase>& Phases() const { return phases_; }
  const std::deque<Request>& Requests() const { return requests_; }

  void OnHead(uint64_t id, int status, absl::string_view headers) override {
    Request& request = requests_[id];
    request.status = status;
    int64_t ms = 0;
    if (absl::SimpleAtoi(HeaderOf(headers, "retry-after-ms"), &ms)) {
      request.hint = absl::Milliseconds(ms);
    }
  }
  void OnBody(uint64_t id, absl::string_view bytes, absl::Time read) override {
    Request& request = requests_[id];
    request.is_done = request.is_done || HasDone(bytes);
    request.last_event = std::string(bytes);
    const int num_tokens = CountLetters(bytes);
    if (num_tokens == 0) return;
    if (request.num_tokens == 0) {
      request.first_token = read;
    } else {
      phases_[request.phase].gaps.push_back(Ms(read - request.last_token));
    }
    request.num_tokens += num_tokens;
    request.last_token = read;
  }
  void OnEnd(uint64_t id, bool complete, absl::Time read) override {
    requests_[id].ended = read;
    requests_[id].is_complete = complete;
    if (on_end_) on_end_(requests_[id]);
  }

 private:
  void Ask(size_t tenant, absl::Time due) {
    const uint64_t id = requests_.size();
    requests_.push_back({.phase = phases_.size() - 1,
                         .tenant = tenant,
                         .due = due,
                         .sent = absl::Now()});
    fleet_.Send(id, ChatRequest(keys_[tenant], id, num_tokens_));
  }

  const std::array<std::string, kTenants> keys_;
  const int num_tokens_;
  HttpFleet fleet_;
  std::mt19937_64 random_{7};
  std::vector<Phase> phases_;
  std::deque<Request> requests_;  // by id
  std::function<void(const Request&)> on_end_;
};

double Clients::Calibrate(int num_slots, absl::Duration duration) {
  phases_.push_back({.name = "calibration"});
  const absl::Time start = absl::Now();
  // Streams that began together end together: those are not counted.
  const absl::Time counted = start + duration / 4;
  const absl::Time end = start + duration;
  int num_finished = 0;
  size_t num_asked = 0;
  on_end_ = [&](const Request& request) {
    if (request.is_done && request.ended >= counted && request.ended < end) {
      ++num_finished;
    }
  };
  while (absl::Now() < end) {
    while (fleet_.NumOpen() < static_cast<size_t>(num_slots) * 2) {
      Ask(num_asked++ % kTenants, absl::Now());
    }
    fleet_.Poll(absl::Milliseconds(1));
  }
  on_end_ = nullptr;
  Finish();
  return num_finished / absl::ToDoubleSeconds(end - counted);
}

void Clients::Run(Phase phase, absl::Duration duration) {
  phase.start = absl::Now();
  phase.end = phase.start + duration;
  phases_.push_back(std::move(phase));
  const Phase& now = phases_.back();
  double total = 0;
  for (const double rate : now.rates) total += rate;
  std::discrete_distribution<size_t> tenant(now.rates.begin(), now.rates.end());
  std::exponential_distribution<double> gap(total);
  absl::Time due = now.start;
  for (;;) {
    due += absl::Seconds(gap(random_));
    if (due >= now.end) break;
    while (absl::Now() < due) fleet_.Poll(absl::Milliseconds(1));
    Ask(tenant(random_), due);
  }
  while (absl::Now() < now.end) fleet_.Poll(absl::Milliseconds(1));
}

// A file of one tenant for each key; returns the keys.
std::array<std::string, kTenants> WriteKeys(const std::string& folder,
                                            gateway::GatewayOptions* options) {
  options->api_pepper = folder + "/pepper";
  options->api_keys = folder + "/keys.yaml";
  const auto pepper = gateway::DrawPepper();
  MESH_CHECK(pepper.ok());
  std::ofstream(options->api_pepper) << *pepper << "\n";
  MESH_CHECK(chmod(options->api_pepper.c_str(), 0600) == 0);
  std::array<std::string, kTenants> keys;
  std::ofstream file(options->api_keys);
  file << "tenants:\n";
  for (size_t tenant = 0; tenant < kTenants; ++tenant) {
    const auto key = gateway::DrawApiKey();
    MESH_CHECK(key.ok());
    keys[tenant] = key->Text();
    file << "  - name: tenant-" << static_cast<char>('x' + tenant)
         << "\n    keys:\n      - {id: " << key->id << ", hash: "
         << gateway::ToHex(gateway::HashSecret(*pepper, key->secret)) << "}\n";
  }
  return keys;
}

class OverloadBench {
 public:
  explicit OverloadBench(const Options& options) : options_(options) {}

  void Run(GatewayProcess& gateway);

 private:
  void RunPhases(Clients& clients, GatewayProcess& gateway);
  void Print(const Clients& clients) const;

  const Options options_;
  double capacity_ = 0;
};

void OverloadBench::Run(GatewayProcess& gateway) {
  const TempDir folder;
  PacedAttentionNode node({.name = "attention-0",
                           .slots = options_.slots,
                           .step = absl::Milliseconds(options_.step_ms),
                           .token = kLetterToken});
  gateway::GatewayServer::Options gateway_options;
  gateway_options.attention_nodes = {{"attention-0", node.Address()}};
  const std::array<std::string, kTenants> keys =
      WriteKeys(folder.Path(), &gateway_options);
  gateway.Start(gateway_options);
  Clients clients(gateway.HttpPort(), keys, options_.tokens);
  RunPhases(clients, gateway);
  Print(clients);
}

void OverloadBench::RunPhases(Clients& clients, GatewayProcess& gateway) {
  const absl::Duration duration = absl::Seconds(options_.seconds);
  capacity_ = clients.Calibrate(options_.slots, duration);
  const uint64_t calibrated = gateway.Stats().rss_bytes;
  std::printf(
      "C: %.1f requests a second of %d tokens (%d slots, %d ms steps)\n",
      capacity_, options_.tokens, options_.slots, options_.step_ms);
  const double fair = capacity_ / kTenants;
  const auto even = [&](const char* name, double load) {
    clients.Run(
        {.name = name, .rates = {load * fair, load * fair, load * fair}},
        duration);
  };
  even("0.8 C before", 0.8);
  even("1.0 C", 1);
  even("3 C", 3);
  clients.Run(
      {.name = "flood of x",
       .rates = {10 * capacity_, kModest * capacity_, kModest * capacity_}},
      duration);
  const uint64_t loaded = gateway.Stats().rss_bytes;
  even("0.8 C after", 0.8);
  clients.Finish();
  std::printf(
      "memory of the gateway: %.1f MiB calibrated, %.1f MiB after the "
      "flood\n",
      static_cast<double>(calibrated) / (1 << 20),
      static_cast<double>(loaded) / (1 << 20));
}

void OverloadBench::Print(const Clients& clients) const {
  std::vector<Report> reports;
  for (size_t phase = 1; phase < clients.Phases().size(); ++phase) {
    reports.emplace_back(clients.Requests(), phase, clients.Phases()[phase],
                         capacity_, absl::Milliseconds(options_.step_ms));
  }
  Report::PrintHead();
  for (const Report& report : reports) report.Print();
  for (const Report& report : reports) report.PrintHints();
  reports[3].PrintTenants();
  const absl::Duration recovery =
      RecoveryOf(clients.Requests(), clients.Phases().back(),
                 reports.front().FirstTokenP99());
  std::printf(
      "recovery after the flood: %s\n",
      recovery == absl::InfiniteDuration()
          ? "none"
          : absl::StrCat("within ", Ms(recovery + kWindow), " ms").c_str());
}

bool ParseFlags(int argc, char** argv, Options* options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    int* value = flag == "--seconds"   ? &options->seconds
                 : flag == "--slots"   ? &options->slots
                 : flag == "--step-ms" ? &options->step_ms
                 : flag == "--tokens"  ? &options->tokens
                                       : nullptr;
    if (value == nullptr || !absl::SimpleAtoi(argv[i + 1], value) ||
        *value <= 0) {
      return false;
    }
  }
  return argc % 2 == 1;
}

}  // namespace
}  // namespace mesh::bench

int main(int argc, char** argv) {
  mesh::bench::Options options;
  if (!mesh::bench::ParseFlags(argc, argv, &options)) {
    std::fprintf(stderr,
                 "usage: overload_bench [--seconds S] [--slots N] "
                 "[--step-ms T] [--tokens K]\n");
    return 1;
  }
  mesh::bench::GatewayProcess gateway;  // before there are threads
  const absl::Status limit = mesh::service::RaiseDescriptorLimit(4096);
  if (!limit.ok()) {
    std::fprintf(stderr, "overload_bench: %s\n", limit.ToString().c_str());
    return 1;
  }
  mesh::bench::OverloadBench(options).Run(gateway);
  return 0;
}
