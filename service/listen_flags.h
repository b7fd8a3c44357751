// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "service/flags.h"
#include "service/listen_options.h"

namespace mesh::service {

// --listen, --advertise, --metrics-listen, --tls-ca, --tls-cert, --tls-key and
// --insecure-lab. `options` outlives Flags::Parse.
void AddListenFlags(Flags& flags, ListenOptions* options);

}  // namespace mesh::service
