// SPDX-License-Identifier: Apache-2.0
#include "cli/serve.h"

#include <signal.h>
#include <unistd.h>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/mutex.h"
#include "core/status_macros.h"
#include "service/shutdown.h"

namespace mesh::cli {
namespace {

constexpr absl::Duration kDrainLimit = absl::Seconds(30);

// Why a node can never serve, as it said from one of its threads.
class Failure {
 public:
  // Wakes main as if it had been told to end.
  void Set(const absl::Status& status) {
    {
      MutexLock lock(mutex_);
      status_ = status;
    }
    kill(getpid(), SIGTERM);
  }
  absl::Status Get() {
    MutexLock lock(mutex_);
    return status_;
  }

 private:
  Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status RunServe(const ServedMesh::Options& options, Console& console) {
  service::ShutdownSignal shutdown;
  Failure failure;
  ASSIGN_OR_RETURN(const auto mesh,
                   ServedMesh::Start(options, [&](const absl::Status& s) {
                     failure.Set(s);
                   }));
  console.Note(absl::StrCat("gateway at ", mesh->GatewayAddress(), ", HTTP at ",
                            mesh->HttpAddress(), ", router at ",
                            mesh->RouterAddress(), "; Ctrl-C ends the mesh"));
  shutdown.Wait();
  RETURN_IF_ERROR(failure.Get());
  mesh->Drain(kDrainLimit);
  return absl::OkStatus();
}

}  // namespace mesh::cli
