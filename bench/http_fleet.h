// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace mesh::bench {

// What comes of the requests of an HttpFleet, on its thread, while it polls.
class HttpWatcher {
 public:
  virtual ~HttpWatcher() = default;
  virtual void OnHead(uint64_t id, int status, absl::string_view headers) = 0;
  // Of the body, as it was read; `read` is when.
  virtual void OnBody(uint64_t id, absl::string_view bytes,
                      absl::Time read) = 0;
  // Last, unless the request was dropped. False: the connection broke.
  virtual void OnEnd(uint64_t id, bool complete, absl::Time read) = 0;
};

// Many HTTP/1.1 requests at the same time over sockets of one thread. Keeps
// connections for the next request, for a while. Owned by one thread.
class HttpFleet {
 public:
  // `watcher` must outlive it, and may call it.
  HttpFleet(int port, HttpWatcher& watcher);
  ~HttpFleet();

  // Sends `bytes`, which may be a part of a request. `id` must not be open.
  void Send(uint64_t id, std::string bytes);
  // Closes its connection, with or without a reset, and forgets it.
  void Drop(uint64_t id, bool reset);
  // Waits for something to happen, for so long at most.
  void Poll(absl::Duration limit);
  // Closes the connections that carry nothing.
  void CloseIdle();

  size_t NumOpen() const { return by_id_.size(); }

 private:
  struct Connection;

  Connection* Connect();
  void Flush(Connection& connection);
  void Read(Connection& connection);
  // False: the answer cannot be understood.
  bool Parse(Connection& connection, absl::Time read);
  bool ParseHead(Connection& connection);
  void End(Connection& connection, bool complete, absl::Time read);
  void Close(Connection& connection);

  const int port_;
  HttpWatcher& watcher_;
  const int epoll_;
  absl::flat_hash_map<uint64_t, Connection*> by_id_;
  absl::flat_hash_map<Connection*, std::unique_ptr<Connection>> all_;
  std::vector<Connection*> idle_;
  std::vector<std::unique_ptr<Connection>> closed_;  // until the poll is over
};

// A header's value, or nothing; `name` in lower case.
std::string HeaderOf(absl::string_view headers, absl::string_view name);

}  // namespace mesh::bench
