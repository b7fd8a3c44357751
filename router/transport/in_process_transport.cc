// SPDX-License-Identifier: Apache-2.0
#include "router/transport/in_process_transport.h"

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "core/mutex.h"
#include "core/status_macros.h"
#include "router/transport/frame_pool.h"

namespace mesh::router {
namespace {

struct Event {
  enum class Kind { kFrame, kLost, kPing, kPong };
  Kind kind = Kind::kFrame;
  PeerId from = {};
  Frame frame = nullptr;   // kFrame
  uint64_t cookie = 0;     // kPing, kPong
  uint64_t num_bytes = 0;  // of the frame, ping or pong
};

// One end of the network as the others see it. Guarded by the network's mutex.
struct Mailbox {
  struct Link {
    std::shared_ptr<Mailbox> other;
    PeerId id_there;  // what the other end calls this one
    bool lost = false;
  };
  std::vector<Link> links;  // by PeerId
  std::vector<Event> inbox;
  bool woken = false;
  CondVar arrived;  // something is in the inbox, or `woken`
  TransportStats stats;
};

void Deliver(Mailbox& to, Event event) {
  to.inbox.push_back(std::move(event));
  to.arrived.NotifyOne();
}

// Takes `event` from `from` to the other end of `link`.
void Carry(Mailbox& from, const Mailbox::Link& link, Event event) {
  event.from = link.id_there;
  from.stats.bytes_sent += event.num_bytes;
  link.other->stats.bytes_received += event.num_bytes;
  if (event.kind == Event::Kind::kFrame) {
    ++from.stats.frames_sent;
    ++link.other->stats.frames_received;
  }
  Deliver(*link.other, std::move(event));
}

PeerId AddLink(Mailbox& from, std::shared_ptr<Mailbox> to, PeerId id_there) {
  from.links.push_back({std::move(to), id_there});
  return PeerId{static_cast<uint32_t>(from.links.size() - 1)};
}

}  // namespace

struct InProcessNetwork::State {
  explicit State(const Options& network_options) : options(network_options) {}

  const Options options;
  const std::shared_ptr<FramePool> pool = FramePool::Create();
  Mutex mutex;
  absl::flat_hash_map<std::string, std::shared_ptr<Mailbox>> mailboxes
      ABSL_GUARDED_BY(mutex);
};

namespace {

template <typename State>
class Endpoint final : public Transport {
 public:
  Endpoint(std::shared_ptr<State> state, std::string address,
           std::shared_ptr<Mailbox> mailbox)
      : state_(std::move(state)),
        address_(std::move(address)),
        mailbox_(std::move(mailbox)) {}

  ~Endpoint() override {
    MutexLock lock(state_->mutex);
    state_->mailboxes.erase(address_);
    for (Mailbox::Link& link : mailbox_->links) {
      if (link.lost) continue;
      link.other->links[link.id_there.value].lost = true;
      link.other->links[link.id_there.value].other = nullptr;
      Deliver(*link.other, {.kind = Event::Kind::kLost, .from = link.id_there});
    }
    mailbox_->links.clear();
    mailbox_->inbox.clear();
  }

  absl::StatusOr<PeerId> Connect(const std::string& address) override {
    if (address.empty()) {
      return absl::InvalidArgumentError("in-process: empty address");
    }
    MutexLock lock(state_->mutex);
    const auto found = state_->mailboxes.find(address);
    if (found == state_->mailboxes.end()) {
      return absl::UnavailableError(
          absl::StrFormat("in-process: nothing answers at \"%s\"", address));
    }
    const std::shared_ptr<Mailbox>& other = found->second;
    if (other == mailbox_) {
      return absl::InvalidArgumentError("in-process: own address");
    }
    for (size_t i = 0; i < mailbox_->links.size(); ++i) {
      if (mailbox_->links[i].other == other) {
        return PeerId{static_cast<uint32_t>(i)};
      }
    }
    const PeerId here{static_cast<uint32_t>(mailbox_->links.size())};
    const PeerId there = AddLink(*other, mailbox_, here);
    return AddLink(*mailbox_, other, there);
  }

  absl::StatusOr<Frame> Allocate(size_t num_bytes) override {
    RETURN_IF_ERROR(CheckSize(num_bytes));
    return state_->pool->Take(num_bytes);
  }

  absl::Status Send(PeerId to, Frame frame) override {
    const size_t num_bytes = frame->Bytes().size();
    return SendEvent(to, {.kind = Event::Kind::kFrame,
                          .frame = std::move(frame),
                          .num_bytes = num_bytes});
  }

  absl::Status Ping(PeerId peer, uint64_t cookie, size_t num_bytes) override {
    RETURN_IF_ERROR(CheckSize(num_bytes));
    return SendEvent(
        peer,
        {.kind = Event::Kind::kPing, .cookie = cookie, .num_bytes = num_bytes});
  }

  int Poll(FrameHandler& handler) override {
    {
      MutexLock lock(state_->mutex);
      arrived_.swap(mailbox_->inbox);
      for (const Event& event : arrived_) {
        if (event.kind == Event::Kind::kPing) Echo(event);
      }
    }
    int num_frames = 0;
    for (Event& event : arrived_) {
      switch (event.kind) {
        case Event::Kind::kFrame:
          handler.OnFrame(event.from, std::move(event.frame));
          ++num_frames;
          break;
        case Event::Kind::kLost:
          handler.OnPeerLost(
              event.from, absl::UnavailableError("in-process: peer is gone"));
          break;
        case Event::Kind::kPong:
          handler.OnPong(event.from, event.cookie);
          break;
        case Event::Kind::kPing:
          break;
      }
    }
    arrived_.clear();
    return num_frames;
  }

  void Wait(absl::Duration timeout) override {
    const absl::Time deadline = absl::Now() + timeout;
    MutexLock lock(state_->mutex);
    while (mailbox_->inbox.empty() && !mailbox_->woken) {
      const absl::Duration left = deadline - absl::Now();
      if (left <= absl::ZeroDuration()) break;
      mailbox_->arrived.WaitFor(state_->mutex, left);
    }
    mailbox_->woken = false;
  }

  void Wake() override {
    MutexLock lock(state_->mutex);
    mailbox_->woken = true;
    mailbox_->arrived.NotifyOne();
  }

  TransportStats Stats() const override {
    MutexLock lock(state_->mutex);
    TransportStats stats = mailbox_->stats;
    for (const Mailbox::Link& link : mailbox_->links) {
      if (!link.lost) ++stats.num_links;
    }
    if (stats.num_links > 0) stats.lane = "in-process";
    return stats;
  }

  size_t MaxFrameBytes() const override {
    return state_->options.max_frame_bytes;
  }

 private:
  absl::Status CheckSize(size_t num_bytes) const {
    if (num_bytes > 0 && num_bytes <= MaxFrameBytes()) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrFormat("in-process: a frame of %d bytes", num_bytes));
  }

  absl::Status SendEvent(PeerId to, Event event) {
    MutexLock lock(state_->mutex);
    if (to.value >= mailbox_->links.size()) {
      return absl::InvalidArgumentError("in-process: no such peer");
    }
    const Mailbox::Link& link = mailbox_->links[to.value];
    if (link.lost) return absl::UnavailableError("in-process: peer is lost");
    Carry(*mailbox_, link, std::move(event));
    return absl::OkStatus();
  }

  void Echo(const Event& ping) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_->mutex) {
    const Mailbox::Link& link = mailbox_->links[ping.from.value];
    if (link.lost) return;
    Carry(*mailbox_, link,
          {.kind = Event::Kind::kPong,
           .cookie = ping.cookie,
           .num_bytes = ping.num_bytes});
  }

  const std::shared_ptr<State> state_;
  const std::string address_;
  const std::shared_ptr<Mailbox> mailbox_;
  std::vector<Event> arrived_;  // kept for its memory
};

}  // namespace

InProcessNetwork::InProcessNetwork() : InProcessNetwork(Options()) {}
InProcessNetwork::InProcessNetwork(const Options& options)
    : state_(std::make_shared<State>(options)) {}
InProcessNetwork::~InProcessNetwork() = default;

absl::StatusOr<std::unique_ptr<Transport>> InProcessNetwork::CreateEndpoint(
    const std::string& address) {
  if (address.empty()) {
    return absl::InvalidArgumentError("in-process: empty address");
  }
  auto mailbox = std::make_shared<Mailbox>();
  MutexLock lock(state_->mutex);
  if (!state_->mailboxes.emplace(address, mailbox).second) {
    return absl::AlreadyExistsError(
        absl::StrFormat("in-process: \"%s\" is taken", address));
  }
  return std::unique_ptr<Transport>(
      std::make_unique<Endpoint<State>>(state_, address, mailbox));
}

bool InProcessNetwork::HasEndpoint(const std::string& address) const {
  MutexLock lock(state_->mutex);
  return state_->mailboxes.contains(address);
}

}  // namespace mesh::router
