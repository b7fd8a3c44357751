// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/acceptor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "service/host_port.h"
#include "service/listen_options.h"

namespace mesh::gateway {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

// What the kernel holds for us while we are busy.
constexpr int kBacklog = 1024;
// Until the next try where there is no way to take the connection.
constexpr std::chrono::milliseconds kPause{10};

bool IsLackOfDescriptors(const error_code& error) {
  return error == asio::error::no_descriptors ||
         error == boost::system::errc::too_many_files_open_in_system;
}

bool IsLackOfMemory(const error_code& error) {
  return error == asio::error::no_buffer_space ||
         error == asio::error::no_memory;
}

asio::ip::address Unmapped(const asio::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

// One customer has one IPv4 address or 2^64 IPv6 ones.
std::string LimitKey(const asio::ip::address& address) {
  if (!address.is_v6()) return address.to_string();
  return asio::ip::network_v6(address.to_v6(), 64).canonical().to_string();
}

absl::StatusOr<tcp::acceptor> Listen(asio::io_context& io,
                                     const service::HostPort& address,
                                     absl::string_view flag) {
  RETURN_IF_ERROR(service::CheckBindable(address, flag));
  error_code error;
  tcp::resolver resolver(io);
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port),
                       tcp::resolver::numeric_service, error);
  for (const auto& entry : found) {
    tcp::acceptor acceptor(io);
    acceptor.open(entry.endpoint().protocol(), error);
    if (!error) {
      acceptor.set_option(asio::socket_base::reuse_address(true), error);
    }
    if (!error) acceptor.bind(entry.endpoint(), error);
    if (!error) acceptor.listen(kBacklog, error);
    if (!error) return acceptor;
  }
  return absl::ErrnoToStatus(error.value(),
                             absl::StrCat("address ", address.ToString()));
}

}  // namespace

// Lives as long as an accept is outstanding. Owned by the io thread after
// Begin(), but for what is const or atomic.
class Acceptor::Loop : public std::enable_shared_from_this<Loop> {
 public:
  Loop(tcp::acceptor acceptor, const std::string& host, const Options& options,
       const Clock& clock, OnConnection on_connection)
      : limits(options.limits, clock),
        acceptor_(std::move(acceptor)),
        pause_(acceptor_.get_executor()),
        on_connection_(std::move(on_connection)) {
    error_code ignored;
    address = service::HostPort{host, acceptor_.local_endpoint(ignored).port()}
                  .ToString();
    OpenSpare();
  }
  ~Loop() { CloseSpare(); }

  void Begin() {
    acceptor_.async_accept(peer_,
                           [self = shared_from_this()](const error_code& error,
                                                       tcp::socket socket) {
                             self->OnAccept(error, std::move(socket));
                           });
  }

  // Thread-safe.
  void Stop() {
    if (stop_asked_.exchange(true)) return;
    asio::dispatch(acceptor_.get_executor(), [self = shared_from_this()] {
      error_code ignored;
      self->acceptor_.close(ignored);
      self->pause_.cancel(ignored);
      self->on_connection_ = nullptr;
    });
  }

  ConnectionLimits limits;
  AcceptCounters counters;
  std::string address;

 private:
  void OnAccept(const error_code& error, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (!error) {
      Admit(std::move(socket));
    } else if (IsLackOfDescriptors(error)) {
      return RefuseWithSpare();
    } else if (IsLackOfMemory(error)) {
      return BeginLater();
    }
    // The callback may have stopped us.
    if (acceptor_.is_open()) Begin();
  }

  void Admit(tcp::socket socket) {
    const asio::ip::address address_of_peer = Unmapped(peer_.address());
    auto admitted = limits.Admit(LimitKey(address_of_peer));
    if (const auto* why = std::get_if<ConnectionLimits::Refusal>(&admitted)) {
      Count(*why);
      return Reset(socket);
    }
    counters.accepted.fetch_add(1, std::memory_order_relaxed);
    // The callback may let go of itself by stopping us.
    const OnConnection on_connection = on_connection_;
    on_connection({std::move(socket),
                   std::get<ConnectionLimits::Permit>(std::move(admitted)),
                   address_of_peer.to_string()});
  }

  void Count(ConnectionLimits::Refusal why) {
    std::atomic<uint64_t>* counter = &counters.refused_total;
    if (why == ConnectionLimits::Refusal::kPerAddress) {
      counter = &counters.refused_per_address;
    } else if (why == ConnectionLimits::Refusal::kRate) {
      counter = &counters.refused_rate;
    }
    counter->fetch_add(1, std::memory_order_relaxed);
  }

  // Leaves nothing behind in the kernel, as a polite close would.
  static void Reset(tcp::socket& socket) {
    error_code ignored;
    socket.set_option(asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
  }

  // Makes room by giving up the spare descriptor, takes the connection with it,
  // hangs up, and takes the spare back.
  void RefuseWithSpare() {
    CloseSpare();
    const int fd =
        accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) {
      counters.refused_descriptors.fetch_add(1, std::memory_order_relaxed);
      close(fd);
    }
    OpenSpare();
    // Without a spare, or with nothing to take, trying at once would spin.
    if (spare_ < 0 || fd < 0) return BeginLater();
    Begin();
  }

  void BeginLater() {
    if (spare_ < 0) OpenSpare();
    pause_.expires_after(kPause);
    pause_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error && self->acceptor_.is_open()) self->Begin();
    });
  }

  void OpenSpare() { spare_ = open("/dev/null", O_RDONLY | O_CLOEXEC); }
  void CloseSpare() {
    if (spare_ >= 0) close(spare_);
    spare_ = -1;
  }

  tcp::acceptor acceptor_;
  tcp::endpoint peer_;
  asio::steady_timer pause_;
  int spare_ = -1;
  OnConnection on_connection_;
  std::atomic<bool> stop_asked_ = false;
};

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Start(
    boost::asio::io_context& io, const Options& options, const Clock& clock,
    OnConnection on_connection) {
  ASSIGN_OR_RETURN(const service::HostPort address,
                   service::ParseHostPort(options.listen));
  if (!service::IsLoopback(options.listen) && !options.tls.Enabled() &&
      !options.insecure_lab) {
    return absl::InvalidArgumentError(absl::StrCat(
        options.flag, " ", options.listen,
        ": beyond loopback certificates are needed (--tls-ca, --tls-cert, ",
        "--tls-key; deploy/certs makes them); in a closed lab --insecure-lab ",
        "goes without"));
  }
  ASSIGN_OR_RETURN(tcp::acceptor acceptor, Listen(io, address, options.flag));
  // The spare's accept must not wait either.
  error_code ignored;
  acceptor.native_non_blocking(true, ignored);
  auto loop = std::make_shared<Loop>(std::move(acceptor), address.host, options,
                                     clock, std::move(on_connection));
  loop->Begin();
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(loop)));
}

Acceptor::Acceptor(std::shared_ptr<Loop> loop) : loop_(std::move(loop)) {}
Acceptor::~Acceptor() { Stop(); }

const std::string& Acceptor::Address() const { return loop_->address; }
const AcceptCounters& Acceptor::Counters() const { return loop_->counters; }
int Acceptor::NumConnections() const { return loop_->limits.NumConnections(); }
void Acceptor::Stop() { loop_->Stop(); }

}  // namespace mesh::gateway
