// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/answer_source.h"
#include "cli/mesh_target.h"

namespace mesh::cli {

// A model that a gateway serves.
struct ServedModel {
  std::string name;
  std::string digest;    // hexadecimal
  std::string numerics;  // class of arithmetic
};

// Answers by a mesh, through its gateway. Owned by one thread.
class GatewayClient final : public AnswerSource {
 public:
  // Connects, and asks what is served. Errors: kUnavailable if no gateway
  // answers there; those of service::MakeChannel.
  static absl::StatusOr<std::unique_ptr<GatewayClient>> Connect(
      const MeshTarget& target, absl::Duration limit);
  ~GatewayClient() override;

  const ServedModel& Model() const { return model_; }
  std::string Description() const override;

  // Errors: those of InferenceService.Generate.
  absl::StatusOr<Answer> Generate(
      std::span<const gateway::ChatMessage> messages,
      const AnswerOptions& options,
      absl::FunctionRef<void(const AnswerPiece&)> emit,
      absl::FunctionRef<bool()> interrupted) override;

 private:
  struct State;
  explicit GatewayClient(std::unique_ptr<State> state);

  const std::unique_ptr<State> state_;
  std::string address_;
  ServedModel model_;
};

}  // namespace mesh::cli
