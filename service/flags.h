// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mesh::service {

// A process's configuration: a YAML file (--config) and flags, which win. A
// flag
// --heartbeat-interval is the key heartbeat_interval in the file. The file may
// hold a section per role ("router:", "attention-node:", ...); keys outside any
// section are for all roles. Unknown or repeated keys and flags are errors.
class Flags {
 public:
  // `section`: the role's section of the file.
  Flags(std::string program, std::string section, std::string description);
  ~Flags();

  // `name` as in the flag, without dashes in front. The target keeps its value
  // as the default and outlives Parse().
  void Add(const std::string& name, std::string* target,
           const std::string& help);
  void Add(const std::string& name, bool* target, const std::string& help);
  void Add(const std::string& name, int* target, const std::string& help,
           int least, int most);
  void Add(const std::string& name, uint64_t* target, const std::string& help);
  void Add(const std::string& name, double* target, const std::string& help,
           double least, double most);
  // As "250ms" or "10s".
  void Add(const std::string& name, absl::Duration* target,
           const std::string& help);

  // False if --help or --version was answered on standard output.
  // Errors: kInvalidArgument names the flag or key, its value and what was
  // expected; kNotFound for a missing file.
  absl::StatusOr<bool> Parse(int argc, char** argv);

  // Only the file, for a process of several roles.
  absl::Status ReadFile(const std::string& path);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mesh::service
