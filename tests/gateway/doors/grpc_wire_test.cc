// SPDX-License-Identifier: Apache-2.0
// Calls whose bytes are bad, as a client of gRPC's own can send them. What the
// library answers to messages that it cannot read is its own choice and is
// pinned here: UNIMPLEMENTED. Bad frames of HTTP/2 are with the guarded port's
// tests.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/gateway/doors/doors_fixture.h"

namespace mesh::gateway {
namespace {

constexpr char kGenerate[] = "/mesh.gateway.v1.InferenceService/Generate";
constexpr char kTokenize[] = "/mesh.gateway.v1.InferenceService/Tokenize";
constexpr char kDetokenize[] = "/mesh.gateway.v1.InferenceService/Detokenize";

// The bytes of a message to a method, and the status.
struct WireRow {
  const char* name;
  const char* method;
  std::string bytes;
  grpc::StatusCode status = grpc::StatusCode::OK;
  GrpcMetadata metadata = {};
};

// Field `number`, of wire type 2.
std::string Field(int number, absl::string_view bytes) {
  std::string text(1, static_cast<char>(number << 3 | 2));
  size_t size = bytes.size();
  for (; size >= 128; size >>= 7) {
    text.push_back(static_cast<char>(size | 0x80));
  }
  text.push_back(static_cast<char>(size));
  return absl::StrCat(text, bytes);
}

class GrpcWireTest : public DoorsTest {
 protected:
  grpc::Status Send(const WireRow& row) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub(
        grpc::CreateCustomChannel(
            server_->Address(), grpc::InsecureChannelCredentials(), arguments));
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    for (const auto& [name, value] : row.metadata) {
      context.AddMetadata(name, value);
    }
    const grpc::Slice slice(row.bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::ByteBuffer response;
    grpc::Status status;
    absl::Notification done;
    stub.UnaryCall(&context, row.method, grpc::StubOptions(), &request,
                   &response, [&](grpc::Status ended) {
                     status = std::move(ended);
                     done.Notify();
                   });
    done.WaitForNotification();
    return status;
  }

  void CheckWire(const std::vector<WireRow>& rows) const {
    for (const WireRow& row : rows) {
      SCOPED_TRACE(row.name);
      const grpc::Status status = Send(row);
      EXPECT_EQ(status.error_code(), row.status) << status.error_message();
      ExpectGoodGrpc();
      ExpectUnharmed();
    }
  }
};

TEST_F(GrpcWireTest, UnknownMethods) {
  StartDoors();
  CheckWire({
      {"UnknownMethod", "/mesh.gateway.v1.InferenceService/Nothing", "",
       grpc::StatusCode::UNIMPLEMENTED},
      {"UnknownService", "/nothing.Nothing/Tokenize", "",
       grpc::StatusCode::UNIMPLEMENTED},
      {"InternalService", "/mesh.attention.v1.AttentionService/Serve", "",
       grpc::StatusCode::UNIMPLEMENTED},
      {"NoService", "/", "", grpc::StatusCode::UNIMPLEMENTED},
  });
}

TEST_F(GrpcWireTest, MessagesThatCannotBeRead) {
  StartDoors();
  const auto kUnreadable = grpc::StatusCode::UNIMPLEMENTED;
  std::string nested = "x";
  for (int i = 0; i < 1000; ++i) nested = Field(15, nested);
  CheckWire({
      {"Truncated", kGenerate, "\x1a\x7fshort", kUnreadable},
      {"NoLength", kGenerate, "\x1a", kUnreadable},
      {"FieldZero", kGenerate, std::string("\x02\x00", 2), kUnreadable},
      {"GroupWithoutEnd", kGenerate, "\x7b", kUnreadable},
      {"EndWithoutGroup", kGenerate, "\x7c", kUnreadable},
      {"WireTypeSeven", kGenerate, "\x0f", kUnreadable},
      {"VarintOfElevenBytes", kGenerate,
       absl::StrCat("\x30", std::string(10, '\xff'), "\x01"), kUnreadable},
      {"ThousandGroups", kGenerate, std::string(1000, '\x7b'), kUnreadable},
      {"TextNotUtf8", kGenerate, Field(3, "\xff\xfe"), kUnreadable},
      {"RoleNotUtf8", kGenerate, Field(2, Field(1, Field(1, "\xc0\xaf"))),
       kUnreadable},
      // Bytes of an unknown field are not looked into.
      {"NestedInAnUnknownField", kTokenize,
       absl::StrCat(Field(15, nested), Field(1, "hi")), grpc::StatusCode::OK},
      // A known field of another type is an unknown field.
      {"TextAsNumber", kGenerate, "\x18\x01",
       grpc::StatusCode::INVALID_ARGUMENT},
  });
}

TEST_F(GrpcWireTest, MessagesBeyondTheLimits) {
  StartDoors();
  const std::string ids(5 << 20, '\5');
  CheckWire({
      {"FiveMebibytes", kTokenize, Field(1, std::string(5 << 20, 'x')),
       grpc::StatusCode::RESOURCE_EXHAUSTED},
      {"FiveMebibytesToGenerate", kGenerate,
       Field(3, std::string(5 << 20, 'x')),
       grpc::StatusCode::RESOURCE_EXHAUSTED},
      {"FiveMillionIds", kDetokenize, Field(1, ids),
       grpc::StatusCode::RESOURCE_EXHAUSTED},
      {"MillionPromptIds", kGenerate,
       Field(4, Field(1, ids.substr(0, 1'000'000))),
       grpc::StatusCode::INVALID_ARGUMENT},
      {"MillionStopIds", kGenerate,
       absl::StrCat(Field(3, "hi"), Field(11, ids.substr(0, 1'000'000))),
       grpc::StatusCode::INVALID_ARGUMENT},
  });
}

// The guard of the port ends connections with too large headers; gRPC's own
// limit is below the guard's.
TEST_F(GrpcWireTest, Metadata) {
  StartDoors();
  GrpcMetadata keys;
  for (int i = 0; i < 1000; ++i) keys.emplace_back(absl::StrCat("k", i), "v");
  const std::string hello = Field(1, "hi");
  CheckWire({
      {"TwentyKibibytes",
       kTokenize,
       hello,
       grpc::StatusCode::UNAVAILABLE,
       {{"large", std::string(20 << 10, 'x')}}},
      {"ThousandKeys", kTokenize, hello, grpc::StatusCode::RESOURCE_EXHAUSTED,
       keys},
      {"FewKeys", kTokenize, hello, grpc::StatusCode::OK, {{"a", "b"}}},
  });
}

// Whatever one connection does, calls on others go on.
TEST_F(GrpcWireTest, OthersGoOn) {
  StartDoors();
  node_->HoldAt(1);
  const auto stub = FreshStub();
  {
    Call call(*stub, IdsRequest({5}, 3));
    ASSERT_TRUE(call.ReadTokens(1));
    EXPECT_EQ(Send({"",
                    kTokenize,
                    Field(1, "hi"),
                    grpc::StatusCode::OK,
                    {{"large", std::string(20 << 10, 'x')}}})
                  .error_code(),
              grpc::StatusCode::UNAVAILABLE);
    node_->Release();
    EXPECT_TRUE(call.Finish().status.ok());
  }
}

}  // namespace
}  // namespace mesh::gateway
