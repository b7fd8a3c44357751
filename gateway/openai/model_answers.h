// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/admission/tenant.h"
#include "gateway/generation.h"
#include "gateway/openai/model_catalog.h"

namespace mesh::gateway {

// What needs no generation: the models, and their tokens. Each gives the JSON
// of the answer. Thread-safe. Errors: those of the parsers and of
// ModelCatalog::Find.
class ModelAnswers {
 public:
  // Both references, and what `context` refers to, outlive this. `started` is
  // when the models were "created".
  ModelAnswers(const GenerationContext& context, const ModelCatalog& catalog,
               absl::Time started)
      : context_(context), catalog_(catalog), started_(started) {}

  absl::StatusOr<std::string> ListModels(const Tenant& tenant) const;
  absl::StatusOr<std::string> GetModel(absl::string_view name,
                                       const Tenant& tenant) const;
  // `body` is that of the request.
  absl::StatusOr<std::string> Tokenize(absl::string_view body,
                                       const Tenant& tenant) const;
  absl::StatusOr<std::string> Detokenize(absl::string_view body,
                                         const Tenant& tenant) const;

 private:
  // Tokens of prompt and answer together.
  int MaxPositions() const;

  const GenerationContext& context_;
  const ModelCatalog& catalog_;
  const absl::Time started_;
};

}  // namespace mesh::gateway
