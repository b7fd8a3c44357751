// SPDX-License-Identifier: Apache-2.0
#include "cli/keygen.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/admission/api_key.h"
#include "gateway/admission/tenant.h"

namespace mesh::cli {
namespace {

// Only its owner may read it. Never over a file that is there.
absl::Status WriteSecret(const std::string& path, const std::string& secret) {
  const int file =
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return absl::ErrnoToStatus(errno, path);
  const std::string line = secret + "\n";
  const ssize_t written = write(file, line.data(), line.size());
  const bool synced = fsync(file) == 0;
  close(file);
  if (written == static_cast<ssize_t>(line.size()) && synced) {
    return absl::OkStatus();
  }
  unlink(path.c_str());
  return absl::UnavailableError(absl::StrCat(path, ": could not be written"));
}

absl::StatusOr<std::string> PepperAt(const std::string& path,
                                     Console& console) {
  absl::StatusOr<std::string> pepper = gateway::ReadPepper(path);
  if (!absl::IsNotFound(pepper.status())) return pepper;
  ASSIGN_OR_RETURN(std::string drawn, gateway::DrawPepper());
  RETURN_IF_ERROR(WriteSecret(path, drawn));
  console.Note(absl::StrCat("made a pepper at ", path,
                            "; give it to each gateway, and keep it: without "
                            "it no key is good"));
  return drawn;
}

}  // namespace

absl::Status RunKeygen(const KeygenOptions& options, Console& console) {
  if (!gateway::IsTenantName(options.tenant)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--tenant '", options.tenant,
                     "': expected 1 to 64 letters, digits, '-', '_' and '.'"));
  }
  ASSIGN_OR_RETURN(const std::string pepper,
                   PepperAt(options.pepper_path, console));
  ASSIGN_OR_RETURN(const gateway::ApiKey key, gateway::DrawApiKey());
  const std::string hash =
      gateway::ToHex(gateway::HashSecret(pepper, key.secret));
  console.Note("the key, which is shown only now:");
  console.Answer(key.Text() + "\n");
  console.Note(absl::StrCat("add to the gateway's keys file, under 'tenants:'",
                            " (or the last line to a tenant that is there):"));
  console.Answer(absl::StrCat("  - name: ", options.tenant,
                              "\n    keys:\n      - {id: ", key.id,
                              ", hash: ", hash, "}\n"));
  return absl::OkStatus();
}

}  // namespace mesh::cli
