// SPDX-License-Identifier: Apache-2.0
// Round trips between two processes over UCX, both asleep while they wait: TCP
// as the transport sets it up, TCP with zero copy, and shared memory. Decides
// whether a second lane is worth its code (docs/wire_format.md, section 9).
//
//   transport_bench [ROUNDS]     rounds of every lane in turn; 15 if not given
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <ucp/api/ucp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/check.h"

namespace {

using Settings = std::vector<std::pair<const char*, const char*>>;

struct Lane {
  const char* name;
  Settings settings;
};

const Lane kLanes[] = {
    {"tcp",
     {{"TLS", "tcp,self"},
      {"NET_DEVICES", "lo"},
      {"RNDV_THRESH", "256k"},
      {"ZCOPY_THRESH", "inf"},
      {"TX_SEG_SIZE", "64k"},
      {"RX_SEG_SIZE", "128k"},
      {"KEEPALIVE_INTERVAL", "inf"}}},
    {"tcp zcopy",
     {{"TLS", "tcp,self"},
      {"NET_DEVICES", "lo"},
      {"RNDV_THRESH", "256k"},
      {"KEEPALIVE_INTERVAL", "inf"}}},
    {"shm", {{"TLS", "posix,self"}, {"KEEPALIVE_INTERVAL", "100ms"}}},
};
constexpr size_t kSizes[] = {1024, 14336, 262144};
constexpr size_t kMaxBytes = 262144;
constexpr int kTripsPerRound = 200;
constexpr unsigned kAmId = 1;

void Check(ucs_status_t status) { MESH_CHECK(status == UCS_OK); }

// Where the scheduler puts two processes decides more than the lane does.
void PinTo(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  MESH_CHECK(sched_setaffinity(0, sizeof(cores), &cores) == 0);
}

// One end of an echo, with one endpoint.
class End {
 public:
  End(const Settings& settings, int socket) : buffer_(kMaxBytes) {
    ucp_config_t* config = nullptr;
    Check(ucp_config_read("EXPERTMESH", nullptr, &config));
    for (const auto& [name, value] : settings) {
      Check(ucp_config_modify(config, name, value));
    }
    ucp_params_t params = {};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
    Check(ucp_init(&params, config, &context_));
    ucp_config_release(config);
    const ucp_worker_params_t worker_params = {};
    Check(ucp_worker_create(context_, &worker_params, &worker_));
    Check(ucp_worker_get_efd(worker_, &event_fd_));
    ucp_am_handler_param_t handler = {};
    handler.field_mask =
        UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
        UCP_AM_HANDLER_PARAM_FIELD_ARG | UCP_AM_HANDLER_PARAM_FIELD_FLAGS;
    handler.id = kAmId;
    handler.cb = &End::OnMessage;
    handler.arg = this;
    handler.flags = UCP_AM_FLAG_WHOLE_MSG;
    Check(ucp_worker_set_am_recv_handler(worker_, &handler));
    Connect(socket);
  }

  void Send(size_t size) {
    ucp_request_param_t params = {};
    const ucs_status_ptr_t request = ucp_am_send_nbx(
        endpoint_, kAmId, nullptr, 0, buffer_.data(), size, &params);
    MESH_CHECK(!UCS_PTR_IS_ERR(request));
    if (request == nullptr) return;
    while (ucp_request_check_status(request) == UCS_INPROGRESS) Step();
    ucp_request_free(request);
  }

  // Sleeps until a message has arrived; its size.
  size_t Receive() {
    while (received_ == 0) Step();
    return std::exchange(received_, 0);
  }

 private:
  void Connect(int socket) {
    ucp_address_t* own = nullptr;
    size_t size = 0;
    Check(ucp_worker_get_address(worker_, &own, &size));
    MESH_CHECK(write(socket, &size, sizeof(size)) == sizeof(size));
    MESH_CHECK(write(socket, own, size) == static_cast<ssize_t>(size));
    ucp_worker_release_address(worker_, own);
    MESH_CHECK(recv(socket, &size, sizeof(size), MSG_WAITALL) == sizeof(size));
    std::vector<char> other(size);
    MESH_CHECK(recv(socket, other.data(), size, MSG_WAITALL) ==
               static_cast<ssize_t>(size));
    ucp_ep_params_t params = {};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS |
                        UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
                        UCP_EP_PARAM_FIELD_ERR_HANDLER;
    params.address = reinterpret_cast<const ucp_address_t*>(other.data());
    params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
    params.err_handler.cb = [](void*, ucp_ep_h, ucs_status_t) {};
    Check(ucp_ep_create(worker_, &params, &endpoint_));
  }

  static ucs_status_t OnMessage(void* arg, const void*, size_t, void* data,
                                size_t size, const ucp_am_recv_param_t* param) {
    auto& end = *static_cast<End*>(arg);
    if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) == 0) {
      std::copy_n(static_cast<const char*>(data), size, end.buffer_.begin());
      end.received_ = size;
      return UCS_OK;
    }
    ucp_request_param_t params = {};
    params.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK |
                          UCP_OP_ATTR_FIELD_USER_DATA |
                          UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
    params.cb.recv_am = [](void* request, ucs_status_t status, size_t length,
                           void* user) {
      Check(status);
      static_cast<End*>(user)->received_ = length;
      ucp_request_free(request);
    };
    params.user_data = arg;
    MESH_CHECK(!UCS_PTR_IS_ERR(ucp_am_recv_data_nbx(
        end.worker_, data, end.buffer_.data(), size, &params)));
    return UCS_OK;
  }

  void Step() {
    if (ucp_worker_progress(worker_) != 0 ||
        ucp_worker_arm(worker_) != UCS_OK) {
      return;
    }
    pollfd event = {.fd = event_fd_, .events = POLLIN, .revents = 0};
    poll(&event, 1, 1000);
  }

  std::vector<char> buffer_;
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  ucp_ep_h endpoint_ = nullptr;
  int event_fd_ = -1;
  size_t received_ = 0;
};

// A process that echoes until it is killed; returns its id.
pid_t StartEcho(const Lane& lane, int socket) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  PinTo(1);
  End end(lane.settings, socket);
  for (;;) end.Send(end.Receive());
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double MicrosecondsPerTrip(End& end, size_t size) {
  std::vector<double> trips;
  for (int i = 0; i < kTripsPerRound; ++i) {
    const absl::Time start = absl::Now();
    end.Send(size);
    MESH_CHECK(end.Receive() == size);
    trips.push_back(absl::ToDoubleMicroseconds(absl::Now() - start));
  }
  return Median(std::move(trips));
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 15;
  // UCX takes these from the environment only.
  setenv("UCX_POSIX_ERROR_HANDLING", "y", 1);
  setenv("UCX_POSIX_SEG_SIZE", "32k", 1);
  // Every echo is started before UCX starts its threads here.
  std::vector<pid_t> echoes;
  std::vector<int> sockets;
  for (const Lane& lane : kLanes) {
    int pair[2];
    MESH_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    echoes.push_back(StartEcho(lane, pair[1]));
    sockets.push_back(pair[0]);
  }
  PinTo(0);
  std::vector<std::unique_ptr<End>> ends;
  for (size_t l = 0; l < std::size(kLanes); ++l) {
    ends.push_back(std::make_unique<End>(kLanes[l].settings, sockets[l]));
  }
  std::printf(
      "median of %d rounds of %d round trips, both ends "
      "asleep, on cores 0 and 1\n",
      rounds, kTripsPerRound);
  std::printf("%8s %12s %12s %12s %14s\n", "bytes", "tcp us", "zcopy us",
              "shm us", "shm gains");
  for (const size_t size : kSizes) {
    std::vector<std::vector<double>> times(std::size(kLanes));
    std::vector<double> ratios;
    for (int r = 0; r <= rounds; ++r) {
      for (size_t l = 0; l < std::size(kLanes); ++l) {
        const double time = MicrosecondsPerTrip(*ends[l], size);
        if (r > 0) times[l].push_back(time);  // the first one warms up
      }
      if (r > 0) ratios.push_back(1 - times[2].back() / times[0].back());
    }
    std::printf("%8zu %12.1f %12.1f %12.1f %13.0f%%\n", size, Median(times[0]),
                Median(times[1]), Median(times[2]), 100 * Median(ratios));
  }
  for (const pid_t pid : echoes) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  std::fflush(stdout);
  _exit(0);  // the ends' peers are gone
}
