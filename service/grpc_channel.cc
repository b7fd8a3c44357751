// SPDX-License-Identifier: Apache-2.0
#include "service/grpc_channel.h"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "service/listen_options.h"

namespace mesh::service {
namespace {

constexpr int kKeepaliveMs = 10000;
constexpr int kKeepaliveTimeoutMs = 5000;
constexpr int kFirstBackoffMs = 100;
constexpr int kMaxBackoffMs = 2000;
constexpr int kConnectTimeoutMs = 2000;
constexpr int kMaxMetadataBytes = 16 << 10;

grpc::ChannelArguments Arguments(const ChannelOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.max_message_bytes);
  arguments.SetMaxSendMessageSize(options.max_message_bytes);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // no limit
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstBackoffMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxBackoffMs);
  // Channels of one process fail and reconnect each on its own.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // The target is all there is: no proxy from the environment, no
  // configuration from DNS.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return arguments;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const std::string& target, const ChannelOptions& options) {
  RETURN_IF_ERROR(CheckTls(options.tls));
  grpc::ChannelArguments arguments = Arguments(options);
  if (!options.tls.Enabled()) {
    if (!IsLoopback(target) && !options.insecure_lab) {
      return absl::InvalidArgumentError(absl::StrCat(
          target, ": beyond loopback certificates are needed (--tls-ca, ",
          "--tls-cert, --tls-key); in a closed lab --insecure-lab goes ",
          "without"));
    }
    return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  ASSIGN_OR_RETURN(const TlsPem pem, ReadTls(options.tls));
  arguments.SetSslTargetNameOverride(kMeshDnsName);
  return grpc::CreateCustomChannel(
      target, grpc::SslCredentials({pem.ca, pem.key, pem.cert}), arguments);
}

}  // namespace mesh::service
