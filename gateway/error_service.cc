// SPDX-License-Identifier: Apache-2.0
#include "gateway/error_service.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gateway/api_error.h"
#include "mesh/gateway/v1/error_details.pb.h"
#include "service/grpc_status.h"

namespace mesh::gateway {
namespace {

void AddDetail(absl::string_view name, const google::protobuf::Message& detail,
               v1::ErrorStatus* status) {
  google::protobuf::Any* any = status->add_details();
  any->set_type_url(absl::StrCat("type.googleapis.com/google.rpc.", name));
  any->set_value(detail.SerializeAsString());
}

std::string SerializedDetails(const grpc::Status& plain,
                              const ApiErrorDetails& details) {
  v1::ErrorStatus status;
  status.set_code(plain.error_code());
  status.set_message(plain.error_message());
  if (!details.code.empty()) {
    v1::ErrorInfo info;
    info.set_reason(absl::AsciiStrToUpper(details.code));
    info.set_domain("expertmesh");
    AddDetail("ErrorInfo", info, &status);
  }
  if (!details.param.empty()) {
    v1::BadRequest bad;
    v1::FieldViolation* violation = bad.add_field_violations();
    violation->set_field(details.param);
    violation->set_description(plain.error_message());
    AddDetail("BadRequest", bad, &status);
  }
  if (details.retry_after.has_value()) {
    const int64_t ms = absl::ToInt64Milliseconds(*details.retry_after);
    v1::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(ms / 1000);
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>(ms % 1000 * 1'000'000));
    AddDetail("RetryInfo", retry, &status);
  }
  return status.details_size() == 0 ? std::string()
                                    : status.SerializeAsString();
}

}  // namespace

grpc::Status ToGrpcError(const absl::Status& status,
                         grpc::CallbackServerContext* context) {
  const grpc::Status plain = service::ToGrpc(status);
  const ApiErrorDetails details = DetailsOf(status);
  if (details.retry_after.has_value()) {
    context->AddTrailingMetadata(
        "grpc-retry-pushback-ms",
        absl::StrCat(absl::ToInt64Milliseconds(*details.retry_after)));
  }
  return {plain.error_code(), plain.error_message(),
          SerializedDetails(plain, details)};
}

}  // namespace mesh::gateway
