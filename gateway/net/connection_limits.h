// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/string_view.h"
#include "core/clock.h"

namespace mesh::gateway {

// How many connections a door takes, so that no address and no flood of them
// uses up the process. Thread-safe.
class ConnectionLimits {
 public:
  struct Options {
    int max_connections = 10000;
    int max_per_address = 100;
    int max_new_per_second = 50;  // of one address; as many at once
  };

  enum class Refusal { kTotal, kPerAddress, kRate };

 private:
  struct State;

 public:
  // The place of one connection; frees it when destroyed, also after the limits
  // themselves are gone. An empty one has none.
  class Permit {
   public:
    Permit() = default;
    Permit(Permit&& other) noexcept;
    Permit& operator=(Permit&& other) noexcept;
    ~Permit();

   private:
    friend class ConnectionLimits;
    Permit(std::shared_ptr<State> state, std::string address);
    void Release();

    std::shared_ptr<State> state_;
    std::string address_;
  };

  // `clock` must outlive this.
  ConnectionLimits(const Options& options, const Clock& clock);

  // `address` is without the port.
  std::variant<Permit, Refusal> Admit(absl::string_view address);

  int NumConnections() const;

 private:
  const Clock& clock_;
  const std::shared_ptr<State> state_;
};

}  // namespace mesh::gateway
