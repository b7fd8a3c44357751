// SPDX-License-Identifier: Apache-2.0
// Many SSE streams at the same time through a gateway, over real sockets, and
// then many clients that go away at any moment. The gateway is a process of its
// own; attention nodes that step by the clock, and one thread that is all the
// clients, are another.
//
//   sse_bench [--streams N] [--disconnects M] [--seconds S] [--nodes K]
//
// Prints streams that failed, the gateway's memory per stream, its CPU, and
// the time from a node's step to the client's read of the token: with what
// gRPC, the kernel and the clients take, and the other tokens of that step.
// After the disconnects, what the gateway and the nodes still hold.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
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
#include "bench/leaving_clients.h"
#include "bench/paced_attention_service.h"
#include "core/check.h"
#include "service/process_stats.h"

namespace mesh::bench {
namespace {

constexpr absl::Duration kStep = absl::Milliseconds(200);
constexpr double kStepsPerSecond = 5;
constexpr int kArrivalsPerSecond = 1000;
constexpr absl::Duration kPatience = absl::Seconds(20);

struct Options {
  int num_streams = 2000;
  int num_disconnects = 10000;
  int seconds = 20;
  int num_nodes = 0;  // 0: one for 256 streams
};

// When each token of each stream was sent by its node.
class SendTimes {
 public:
  SendTimes(int num_streams, int num_tokens)
      : num_tokens_(num_tokens),
        times_(static_cast<size_t>(num_streams * num_tokens)) {}

  void Note(uint64_t stream, int index) {
    const size_t at = At(stream, index);
    if (at < times_.size()) times_[at] = absl::GetCurrentTimeNanos();
  }
  absl::Time Get(uint64_t stream, int index) const {
    return absl::FromUnixNanos(times_[At(stream, index)]);
  }

 private:
  size_t At(uint64_t stream, int index) const {
    return stream * static_cast<size_t>(num_tokens_) +
           static_cast<size_t>(index);
  }

  const int num_tokens_;
  std::vector<std::atomic<int64_t>> times_;
};

// The clients that read all of their streams.
class Readers final : public HttpWatcher {
 public:
  Readers(int num_streams, const SendTimes& sent)
      : sent_(sent), streams_(static_cast<size_t>(num_streams)) {}

  void OnHead(uint64_t id, int status, absl::string_view /*headers*/) override {
    streams_[id].status = status;
  }
  void OnBody(uint64_t id, absl::string_view bytes, absl::Time read) override {
    Stream& stream = streams_[id];
    const int num_tokens = CountLetters(bytes);
    if (stream.num_tokens == 0 && num_tokens > 0) ++num_begun_;
    for (int i = 0; i < num_tokens; ++i) {
      const absl::Time sent = sent_.Get(id, stream.num_tokens++);
      delays_.emplace_back(sent, absl::ToDoubleMilliseconds(read - sent));
    }
    stream.is_done = stream.is_done || HasDone(bytes);
  }
  void OnEnd(uint64_t /*id*/, bool /*complete*/, absl::Time /*read*/) override {
    ++num_ended_;
  }

  size_t NumBegun() const { return num_begun_; }
  size_t NumEnded() const { return num_ended_; }
  int NumFailed(int num_tokens) const {
    return static_cast<int>(std::count_if(
        streams_.begin(), streams_.end(), [&](const Stream& stream) {
          return stream.status != 200 || !stream.is_done ||
                 stream.num_tokens != num_tokens;
        }));
  }
  // Milliseconds, of what was sent within that time.
  std::vector<double> Delays(absl::Time from, absl::Time to) const {
    std::vector<double> delays;
    for (const auto& [sent, delay] : delays_) {
      if (sent >= from && sent < to) delays.push_back(delay);
    }
    return delays;
  }

 private:
  struct Stream {
    int status = 0;
    int num_tokens = 0;
    bool is_done = false;
  };

  const SendTimes& sent_;
  std::vector<Stream> streams_;
  std::vector<std::pair<absl::Time, double>> delays_;
  size_t num_begun_ = 0;
  size_t num_ended_ = 0;
};

// The body of an answer to GET.
class Fetch final : public HttpWatcher {
 public:
  static std::string Get(int port, absl::string_view path) {
    Fetch fetch;
    HttpFleet fleet(port, fetch);
    fleet.Send(0,
               absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: bench\r\n\r\n"));
    while (fleet.NumOpen() > 0) fleet.Poll(absl::Milliseconds(10));
    return fetch.body_;
  }

 private:
  void OnHead(uint64_t, int, absl::string_view) override {}
  void OnBody(uint64_t, absl::string_view bytes, absl::Time) override {
    body_.append(bytes.data(), bytes.size());
  }
  void OnEnd(uint64_t, bool, absl::Time) override {}

  std::string body_;
};

// At the gateway; -1: it does not tell.
int NumRunning(int port) {
  constexpr char kName[] = "\nmesh_requests_running{";
  const std::string metrics = Fetch::Get(port, "/metrics");
  const size_t at = metrics.find(kName);
  if (at == std::string::npos) return -1;
  const size_t value = metrics.find("} ", at) + 2;
  int num_running = -1;
  return absl::SimpleAtoi(
             metrics.substr(value, metrics.find('\n', value) - value),
             &num_running)
             ? num_running
             : -1;
}

double MiB(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

class SseBench {
 public:
  explicit SseBench(const Options& options)
      : options_(options),
        num_tokens_(static_cast<int>(kStepsPerSecond * options.seconds)),
        sent_(options.num_streams, num_tokens_) {}

  void Run(GatewayProcess& gateway) {
    StartNodes(gateway);
    Stream(gateway);
    Disconnect(gateway);
  }

 private:
  void StartNodes(GatewayProcess& gateway);
  void Stream(GatewayProcess& gateway);
  void Disconnect(GatewayProcess& gateway);
  void AwaitNone(GatewayProcess& gateway, int num_descriptors);
  void PrintHeld(const char* when, GatewayProcess& gateway) const;
  int NumStreamsAtNodes() const {
    int count = 0;
    for (const auto& node : nodes_) count += node->NumStreams();
    return count;
  }

  const Options options_;
  const int num_tokens_;
  SendTimes sent_;
  std::vector<std::unique_ptr<PacedAttentionNode>> nodes_;
};

void SseBench::StartNodes(GatewayProcess& gateway) {
  const int num_nodes = options_.num_nodes > 0
                            ? options_.num_nodes
                            : (options_.num_streams + 255) / 256;
  gateway::GatewayServer::Options gateway_options;
  gateway_options.max_requests = options_.num_streams + 1000;
  for (int i = 0; i < num_nodes; ++i) {
    PacedAttentionNode::Options node;
    node.name = absl::StrCat("attention-", i);
    node.slots = (options_.num_streams + kLeavers) / num_nodes + 1;
    node.step = kStep;
    node.first_step = kStep * i / num_nodes;
    node.token = kLetterToken;
    node.on_token = [this](uint64_t stream, int index) {
      sent_.Note(stream, index);
    };
    nodes_.push_back(std::make_unique<PacedAttentionNode>(std::move(node)));
    gateway_options.attention_nodes.push_back(
        {absl::StrCat("attention-", i), nodes_.back()->Address()});
  }
  gateway.Start(gateway_options);
  std::printf("%d attention nodes in turn, each with a step every %d ms\n",
              num_nodes, static_cast<int>(absl::ToInt64Milliseconds(kStep)));
}

void SseBench::Stream(GatewayProcess& gateway) {
  {
    Leavers warm_up(gateway.HttpPort(), 20);
    warm_up.Run();
  }
  AwaitNone(gateway, 0);
  const service::ProcessStats before = gateway.Stats();
  Readers readers(options_.num_streams, sent_);
  HttpFleet fleet(gateway.HttpPort(), readers);
  const auto num_streams = static_cast<size_t>(options_.num_streams);
  const absl::Time start = absl::Now();
  for (size_t i = 0; i < num_streams; ++i) {
    const absl::Time due =
        start + absl::Seconds(1) * i / static_cast<double>(kArrivalsPerSecond);
    while (absl::Now() < due) fleet.Poll(absl::Milliseconds(1));
    fleet.Send(i, ChatRequest("", i, num_tokens_));
  }
  while (readers.NumBegun() < num_streams && absl::Now() < start + kPatience &&
         readers.NumEnded() == 0) {
    fleet.Poll(absl::Milliseconds(5));
  }
  const absl::Time steady = absl::Now();
  const service::ProcessStats begun = gateway.Stats();
  service::ProcessStats last = begun;
  absl::Time steady_end = steady;
  absl::Time next_look = steady + absl::Seconds(1);
  const size_t num_early = readers.NumEnded();
  while (fleet.NumOpen() > 0) {
    fleet.Poll(absl::Milliseconds(5));
    if (readers.NumEnded() > num_early || absl::Now() < next_look) continue;
    steady_end = absl::Now();
    next_look = steady_end + absl::Seconds(1);
    last = gateway.Stats();
  }
  const std::vector<double> delays = readers.Delays(steady, steady_end);
  const std::vector<double> all = readers.Delays(start, absl::InfiniteFuture());
  std::vector<double> late;
  for (const auto& node : nodes_) {
    for (const absl::Duration delay : node->Lateness()) {
      late.push_back(absl::ToDoubleMilliseconds(delay));
    }
  }
  const double cpu = last.cpu_seconds - begun.cpu_seconds;
  const double wall = absl::ToDoubleSeconds(steady_end - steady);
  const uint64_t grown = std::max(last.rss_bytes, before.rss_bytes);
  std::printf(
      "%d streams of %d tokens: %d failed\n"
      "memory: %.1f MiB without, %.1f MiB with: %.1f KiB a stream (<= 64)\n"
      "from step to read, all streams begun: %zu tokens, p50 %.2f ms, p99 "
      "%.2f ms, max %.1f ms (p99 <= 20)\n"
      "  the nodes' steps themselves were late by p50 %.2f ms, p99 %.2f ms, "
      "max %.1f ms: the machine\n"
      "  with the %d requests a second before: p50 %.2f ms, p99 %.2f ms\n"
      "CPU of the gateway: %.2f of a core, %.0f us a token\n",
      options_.num_streams, num_tokens_, readers.NumFailed(num_tokens_),
      MiB(before.rss_bytes), MiB(last.rss_bytes),
      static_cast<double>(grown - before.rss_bytes) / 1024 /
          options_.num_streams,
      delays.size(), Percentile(delays, 0.5), Percentile(delays, 0.99),
      Percentile(delays, 1), Percentile(late, 0.5), Percentile(late, 0.99),
      Percentile(late, 1), kArrivalsPerSecond, Percentile(all, 0.5),
      Percentile(all, 0.99), cpu / wall,
      1e6 * cpu / std::max(1.0, static_cast<double>(delays.size())));
}

// Until nothing runs and no more descriptors than those are open.
void SseBench::AwaitNone(GatewayProcess& gateway, int num_descriptors) {
  const absl::Time start = absl::Now();
  while (absl::Now() < start + kPatience) {
    const bool is_idle = NumRunning(gateway.HttpPort()) == 0;
    absl::SleepFor(absl::Milliseconds(20));
    if (is_idle && NumStreamsAtNodes() == 0 &&
        (num_descriptors == 0 || gateway.Stats().num_fds <= num_descriptors)) {
      break;
    }
  }
  if (num_descriptors == 0) return;
  std::printf("all back, or given up, after %.0f ms\n",
              absl::ToDoubleMilliseconds(absl::Now() - start));
}

void SseBench::PrintHeld(const char* when, GatewayProcess& gateway) const {
  const int num_running = NumRunning(gateway.HttpPort());
  // For the connection that asked.
  absl::SleepFor(absl::Milliseconds(50));
  const service::ProcessStats stats = gateway.Stats();
  std::printf(
      "%s: %d descriptors, %d requests running, %d streams at nodes, %.1f MiB"
      "\n",
      when, stats.num_fds, num_running, NumStreamsAtNodes(),
      MiB(stats.rss_bytes));
}

void SseBench::Disconnect(GatewayProcess& gateway) {
  if (options_.num_disconnects == 0) return;
  AwaitNone(gateway, 0);
  const int num_descriptors = gateway.Stats().num_fds;
  PrintHeld("before", gateway);
  for (const int part : {1, 2}) {
    const absl::Time start = absl::Now();
    Leavers leavers(gateway.HttpPort(), options_.num_disconnects / 2);
    leavers.Run();
    std::printf(
        "%d clients left in %.1f s, after %d tokens; %d were answered in full "
        "or cut off, %d with another status than 200\n",
        options_.num_disconnects / 2,
        absl::ToDoubleSeconds(absl::Now() - start),
        static_cast<int>(leavers.NumTokens()), leavers.NumEnded(),
        leavers.NumOtherStatus());
    AwaitNone(gateway, num_descriptors);
    PrintHeld(part == 1 ? "after the first half" : "after the second half",
              gateway);
  }
}

bool ParseFlags(int argc, char** argv, Options* options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    int* value = flag == "--streams"       ? &options->num_streams
                 : flag == "--disconnects" ? &options->num_disconnects
                 : flag == "--seconds"     ? &options->seconds
                 : flag == "--nodes"       ? &options->num_nodes
                                           : nullptr;
    if (value == nullptr || !absl::SimpleAtoi(argv[i + 1], value)) return false;
  }
  return argc % 2 == 1 && options->num_streams > 0 && options->seconds > 0 &&
         options->num_disconnects >= 0 && options->num_nodes >= 0;
}

}  // namespace
}  // namespace mesh::bench

int main(int argc, char** argv) {
  mesh::bench::Options options;
  if (!mesh::bench::ParseFlags(argc, argv, &options)) {
    std::fprintf(stderr,
                 "usage: sse_bench [--streams N] [--disconnects M] "
                 "[--seconds S] [--nodes K]\n");
    return 1;
  }
  mesh::bench::GatewayProcess gateway;  // before there are threads
  const absl::Status limit =
      mesh::service::RaiseDescriptorLimit(options.num_streams + 1000);
  if (!limit.ok()) {
    std::fprintf(stderr, "sse_bench: %s\n", limit.ToString().c_str());
    return 1;
  }
  mesh::bench::SseBench(options).Run(gateway);
  return 0;
}
