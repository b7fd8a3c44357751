// SPDX-License-Identifier: Apache-2.0
#include "router/control/term_source.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace mesh::router {
namespace {

constexpr uint64_t kMaxTerm = 1ULL << 31;

absl::Status StateError(const std::string& path, const char* what) {
  return absl::ErrnoToStatus(
      errno, absl::StrCat("--state-dir: cannot ", what, " ", path));
}

// Writes and syncs; leaves no descriptor behind.
absl::Status WriteSynced(const std::string& path, const std::string& text) {
  const int fd =
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return StateError(path, "write");
  absl::Status status;
  if (write(fd, text.data(), text.size()) !=
          static_cast<ssize_t>(text.size()) ||
      fsync(fd) != 0) {
    status = StateError(path, "write");
  }
  close(fd);
  return status;
}

absl::Status SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return StateError(folder, "open");
  absl::Status status;
  if (fsync(fd) != 0) status = StateError(folder, "sync");
  close(fd);
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileTermSource>> FileTermSource::Open(
    const std::string& folder) {
  if (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return StateError(folder, "make");
  }
  const std::string lock = folder + "/lock";
  const int fd = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return StateError(lock, "open");
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return absl::AlreadyExistsError(
        absl::StrCat("--state-dir: another router uses ", folder,
                     "; stop it or give this one a folder of its own"));
  }
  std::unique_ptr<FileTermSource> source(new FileTermSource(folder, fd));
  ASSIGN_OR_RETURN(const uint64_t last, source->Read());
  RETURN_IF_ERROR(source->RaiseAbove(last));
  return source;
}

FileTermSource::~FileTermSource() { close(lock_fd_); }

absl::StatusOr<uint64_t> FileTermSource::Read() const {
  const std::string path = folder_ + "/term";
  const auto text = ReadFile(path, 64);
  if (absl::IsNotFound(text.status())) return 0;
  RETURN_IF_ERROR(text.status());
  uint64_t term = 0;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &term) ||
      term > kMaxTerm) {
    return absl::DataLossError(absl::StrCat(
        path, " holds no term; remove it, the nodes know the last one"));
  }
  return term;
}

absl::Status FileTermSource::RaiseAbove(uint64_t seen) {
  if (term_ > seen) return absl::OkStatus();
  if (seen >= kMaxTerm) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no term after ", seen));
  }
  RETURN_IF_ERROR(Write(seen + 1));
  term_ = seen + 1;
  return absl::OkStatus();
}

absl::Status FileTermSource::Write(uint64_t term) const {
  const std::string path = folder_ + "/term";
  const std::string next = path + ".next";
  RETURN_IF_ERROR(WriteSynced(next, absl::StrCat(term, "\n")));
  if (rename(next.c_str(), path.c_str()) != 0) return StateError(path, "write");
  return SyncFolder(folder_);
}

}  // namespace mesh::router
