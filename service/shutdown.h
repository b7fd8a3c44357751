// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace mesh::service {

// SIGTERM and SIGINT as something to wait for. Made first thing in main, before
// any thread: it blocks both signals for all threads to come. One at a time.
class ShutdownSignal {
 public:
  ShutdownSignal();

  // Sleeps until one comes; returns it. A second one during the drain ends the
  // process at once.
  int Wait();
};

}  // namespace mesh::service
