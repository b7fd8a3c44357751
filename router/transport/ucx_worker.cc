// SPDX-License-Identifier: Apache-2.0
#include "router/transport/ucx_worker.h"

#include <ucs/debug/debug.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"

namespace mesh::router {
namespace {

constexpr unsigned kMaxAmId = 65535;  // numbers of messages have 16 bits

using Settings = std::vector<std::pair<const char*, std::string>>;

// Everything that the link depends on, so that UCX_* variables of the
// environment cannot change it.
Settings SettingsFor(const UcxOptions& options) {
  return {
      {"TLS", "tcp,self"},
      {"NET_DEVICES", options.device},
      {"RNDV_THRESH", absl::StrCat(options.rndv_threshold)},
      {"RNDV_SCHEME", "auto"},
      // Without a copy UCX 1.13 sends from our memory, and aborts the process
      // ("comp->count > 0") when a peer dies in the middle of that.
      {"ZCOPY_THRESH", "inf"},
      {"PROTO_ENABLE", "n"},
      {"ADDRESS_VERSION", "v1"},
      {"UNIFIED_MODE", "n"},
      // UCX's own keepalive would keep the kernel's silent: its probes count
      // as unacknowledged data.
      {"KEEPALIVE_INTERVAL", "inf"},
      // Of UCX's transports: without the TCP_ that their variables have.
      {"KEEPIDLE", "1s"},
      {"KEEPINTVL", "1s"},
      {"KEEPCNT", "3"},
      {"MAX_NUM_EPS", absl::StrCat(4 * options.max_links + 16)},
      // The data-plane thread must not wait for a host that does not answer.
      {"CONN_NB", "y"},
      {"PORT_RANGE", "0"},
      // With UCX's 8k and 64k a frame of 256 KiB takes twice as long
      // (bench/transport_bench.cc).
      {"TX_SEG_SIZE", "64k"},
      {"RX_SEG_SIZE", "128k"},
      // A lost peer is reported to the owner, who says so in its own log.
      {"LOG_LEVEL", "fatal"},
      {"WARN_UNUSED_ENV_VARS", "n"},
  };
}

absl::Status Apply(const Settings& settings, ucp_config_t* config) {
  for (const auto& [name, value] : settings) {
    const ucs_status_t status = ucp_config_modify(config, name, value.c_str());
    if (status == UCS_OK) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "UCX refuses %s=%s: %s", name, value, ucs_status_string(status)));
  }
  return absl::OkStatus();
}

// Whether the device is there is seen last: UCX takes an unknown one for none,
// and goes on with "self" alone.
bool HasTcp(ucp_context_h context) {
  char* text = nullptr;
  size_t size = 0;
  std::FILE* const stream = open_memstream(&text, &size);
  if (stream == nullptr) return false;
  ucp_context_print_info(context, stream);
  std::fclose(stream);
  const bool has_tcp =
      absl::StrContains(absl::string_view(text, size), " tcp/");
  std::free(text);
  return has_tcp;
}

absl::StatusOr<ucp_context_h> CreateContext(const UcxOptions& options) {
  ucp_config_t* config = nullptr;
  const ucs_status_t read =
      ucp_config_read("EXPERTMESH", /*filename=*/nullptr, &config);
  if (read != UCS_OK) return UcxError("its configuration", read);
  const absl::Status applied = Apply(SettingsFor(options), config);
  ucp_context_h context = nullptr;
  ucs_status_t created = UCS_OK;
  if (applied.ok()) {
    ucp_params_t params = {};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
    created = ucp_init(&params, config, &context);
  }
  ucp_config_release(config);
  RETURN_IF_ERROR(applied);
  if (created == UCS_OK && !HasTcp(context)) {
    ucp_cleanup(context);
    created = UCS_ERR_NO_DEVICE;
  }
  if (created == UCS_ERR_NO_DEVICE) {
    return absl::UnavailableError(
        absl::StrFormat("UCX finds no network device \"%s\"; name one of the "
                        "machine's with --device",
                        options.device));
  }
  if (created != UCS_OK) return UcxError("its context", created);
  return context;
}

// UCX takes over the signals of crashes when it is loaded; they belong to the
// program and its sanitizers.
void GiveSignalsBack() {
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
    ucs_debug_disable_signal(signal);
  }
}

}  // namespace

absl::Status UcxError(const char* what, ucs_status_t status) {
  return absl::UnavailableError(
      absl::StrFormat("UCX: %s: %s", what, ucs_status_string(status)));
}

absl::StatusOr<std::unique_ptr<UcxWorker>> UcxWorker::Create(
    const UcxOptions& options) {
  static absl::once_flag signals_once;
  absl::call_once(signals_once, GiveSignalsBack);
  auto worker = std::unique_ptr<UcxWorker>(new UcxWorker);
  ASSIGN_OR_RETURN(worker->context_, CreateContext(options));
  ucp_worker_params_t params = {};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SINGLE;
  ucs_status_t status =
      ucp_worker_create(worker->context_, &params, &worker->worker_);
  if (status != UCS_OK) return UcxError("its worker", status);
  status = ucp_worker_get_efd(worker->worker_, &worker->event_fd_);
  if (status != UCS_OK) return UcxError("its event descriptor", status);
  return worker;
}

UcxWorker::~UcxWorker() {
  if (worker_ != nullptr) ucp_worker_destroy(worker_);
  if (context_ != nullptr) ucp_cleanup(context_);
}

absl::Status UcxWorker::SetHandlers(unsigned am_id,
                                    ucp_am_recv_callback_t callback,
                                    ucp_am_recv_callback_t stray, void* arg) {
  ucp_am_handler_param_t params = {};
  params.field_mask =
      UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
      UCP_AM_HANDLER_PARAM_FIELD_ARG | UCP_AM_HANDLER_PARAM_FIELD_FLAGS;
  params.arg = arg;
  params.flags = UCP_AM_FLAG_WHOLE_MSG;
  // The highest first, which sizes the table.
  for (unsigned id = kMaxAmId + 1; id-- > 0;) {
    params.id = id;
    params.cb = id == am_id ? callback : stray;
    const ucs_status_t status =
        ucp_worker_set_am_recv_handler(worker_, &params);
    if (status != UCS_OK) return UcxError("its message handlers", status);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> UcxWorker::Address() const {
  ucp_address_t* address = nullptr;
  size_t length = 0;
  const ucs_status_t status =
      ucp_worker_get_address(worker_, &address, &length);
  if (status != UCS_OK) return UcxError("its address", status);
  const std::string bytes(reinterpret_cast<const char*>(address), length);
  ucp_worker_release_address(worker_, address);
  return bytes;
}

}  // namespace mesh::router
