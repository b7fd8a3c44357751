// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace mesh::service {

// What grpc.health.v1.Health answers.
enum class Serving { kUnknown, kServing, kNotServing };

// The answer for `name`. Errors: the call's, as kNotFound for a name that the
// server does not know.
absl::StatusOr<Serving> CheckHealth(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& name);

// One unary call with encoded messages; waits 10 s at most.
absl::StatusOr<std::string> CallRaw(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
    const std::string& request);

// The first answer of a bidi stream to one message.
absl::StatusOr<std::string> StreamRaw(
    const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
    const std::string& request);

}  // namespace mesh::service
