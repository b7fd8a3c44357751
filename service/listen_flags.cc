// SPDX-License-Identifier: Apache-2.0
#include "service/listen_flags.h"

namespace mesh::service {

void AddListenFlags(Flags& flags, ListenOptions* options) {
  flags.Add("listen", &options->listen,
            "host:port of the gRPC services; port 0: any free one");
  flags.Add("advertise", &options->advertise,
            "host:port that others connect to; empty: --listen");
  flags.Add("metrics-listen", &options->metrics_listen,
            "host:port of /metrics; empty: none");
  flags.Add("tls-ca", &options->tls.ca_file,
            "certificate of the mesh's authority, PEM");
  flags.Add("tls-cert", &options->tls.cert_file,
            "certificate of this process, PEM");
  flags.Add("tls-key", &options->tls.key_file, "its private key, PEM");
  flags.Add("insecure-lab", &options->insecure_lab,
            "allow plaintext beyond loopback: anyone there may read and join");
}

}  // namespace mesh::service
