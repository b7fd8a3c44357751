// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace mesh::router {

// Where a router's term comes from: no two routers ever place under the same
// one. Owned by one thread.
class TermSource {
 public:
  virtual ~TermSource() = default;
  virtual uint64_t Term() const = 0;
  // Makes the term higher than `seen`, durably. Errors: kUnavailable if that
  // could not be stored; the term is as before.
  virtual absl::Status RaiseAbove(uint64_t seen) = 0;
};

// Keeps the term in a locked file of a folder. Each start takes the next one.
class FileTermSource final : public TermSource {
 public:
  // Makes the folder if it is not there. Errors: kAlreadyExists if another
  // router has locked it; kDataLoss if the file holds no term; kUnavailable or
  // kPermissionDenied if it cannot be written. Each says what to do.
  static absl::StatusOr<std::unique_ptr<FileTermSource>> Open(
      const std::string& folder);
  ~FileTermSource() override;
  FileTermSource(const FileTermSource&) = delete;
  FileTermSource& operator=(const FileTermSource&) = delete;

  uint64_t Term() const override { return term_; }
  absl::Status RaiseAbove(uint64_t seen) override;

 private:
  FileTermSource(std::string folder, int lock_fd)
      : folder_(std::move(folder)), lock_fd_(lock_fd) {}

  absl::StatusOr<uint64_t> Read() const;
  absl::Status Write(uint64_t term) const;

  const std::string folder_;
  const int lock_fd_;
  uint64_t term_ = 0;
};

}  // namespace mesh::router
