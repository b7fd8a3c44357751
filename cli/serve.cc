// SPDX-License-Identifier: Apache-2.0
#include "cli/serve.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/status_macros.h"
#include "service/failure.h"
#include "service/shutdown.h"

namespace mesh::cli {
namespace {

constexpr absl::Duration kDrainLimit = absl::Seconds(30);

}  // namespace

absl::Status RunServe(const ServedMesh::Options& options, Console& console) {
  service::ShutdownSignal shutdown;
  service::Failure failure;
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
