// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "service/tls.h"

namespace mesh {

// Runs deploy/certs for a mesh of that many nodes, into `folder`. Dies if it
// fails.
void MakeCertificates(const std::string& folder, int num_expert_nodes,
                      int num_attention_nodes);

// Of the node of that name, or "operator"; none if `folder` is empty.
service::TlsOptions CertificatesOf(const std::string& folder,
                                   const std::string& name);

}  // namespace mesh
