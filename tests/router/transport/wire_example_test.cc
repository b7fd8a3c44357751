// SPDX-License-Identifier: Apache-2.0
// The examples of docs/wire_format.md are what this code makes and takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "router/transport/wire_format.h"
#include "tests/router/transport/link_messages.h"
#include "tests/support/moe_frames.h"
#include "tests/support/status_matchers.h"

namespace mesh::router {
namespace {

// The bytes of the block that begins with "```hex name".
std::vector<std::byte> Example(const std::string& name) {
  std::ifstream page(MESH_SOURCE_DIR "/docs/wire_format.md");
  std::string line;
  const std::string begin = absl::StrCat("```hex ", name);
  while (std::getline(page, line) && line != begin) {
  }
  std::string digits;
  while (std::getline(page, line) && line != "```") {
    std::istringstream words(line);
    for (std::string word; words >> word;) digits += word;
  }
  EXPECT_FALSE(digits.empty()) << name;
  return BytesOf(absl::HexStringToBytes(digits));
}

// A header with its payload, from one block.
LinkMessage MessageExample(const std::string& name) {
  const std::vector<std::byte> bytes = Example(name);
  LinkMessage message;
  EXPECT_GE(bytes.size(), kLinkHeaderBytes) << name;
  std::copy_n(bytes.begin(), kLinkHeaderBytes, message.header.begin());
  message.payload.assign(bytes.begin() + kLinkHeaderBytes, bytes.end());
  return message;
}

TEST(WireExample, TheDispatchSaysWhatThePageSays) {
  const std::vector<std::byte> frame = Example("dispatch");
  EXPECT_EQ(frame, SmallDispatch());
  const auto view = DecodeDispatch(frame, SmallWire());
  ASSERT_OK(view);
  EXPECT_EQ(view->Header().layer, LayerId{3});
  EXPECT_EQ(view->Header().origin, 0x1122334455667788U);
  EXPECT_EQ(view->Header().frame_id, 42U);
  EXPECT_EQ(view->Header().epoch, 7U);
  EXPECT_EQ(view->Header().remaining_us, 250000U);
  EXPECT_EQ(view->NumRows(), 2);
  EXPECT_EQ(view->WorkAt(1).request, RequestId{900});
  EXPECT_EQ(view->WorkAt(1).choice, 1U);
  EXPECT_EQ(view->WorkAt(1).position, 11U);
  EXPECT_EQ(view->NumSegments(), 3);
  EXPECT_TRUE(view->SegmentAt(0).partial);
  EXPECT_FALSE(view->SegmentAt(1).partial);
  EXPECT_EQ(view->SegmentAt(2).group, 1);
  EXPECT_EQ(view->ItemAt(1).expert, ExpertId{3});
  EXPECT_EQ(view->ItemAt(1).weight, 1.5F);
  Bf16 last;
  std::memcpy(&last, view->Hidden().RowData(1) + 4, sizeof(last));
  EXPECT_EQ(ToFloat(last), -0.25F);
}

TEST(WireExample, TheAnswersSayWhatThePageSays) {
  const std::vector<std::byte> combine = Example("combine");
  EXPECT_EQ(combine, SmallCombine());
  const auto view = DecodeCombine(combine, SmallWire());
  ASSERT_OK(view);
  EXPECT_EQ(view->ResultAt(0).kind, ResultRow::Kind::kPartial);
  EXPECT_EQ(view->ResultAt(0).id, 0);
  EXPECT_EQ(view->ResultAt(1).kind, ResultRow::Kind::kExpertRow);
  EXPECT_EQ(view->ResultAt(1).id, 2);
  const std::vector<std::byte> status = Example("status");
  EXPECT_EQ(status, SmallStatus());
  const auto status_view =
      DecodeStatus(*DecodeHeader(status, SmallWire()), status, SmallWire());
  ASSERT_OK(status_view);
  EXPECT_EQ(status_view->Code(), StatusCode::kNotHeld);
  EXPECT_EQ(status_view->ExpertAt(1), ExpertId{5});
}

TEST(WireExample, TheLinkMessagesAreThoseOfOneLink) {
  const LinkPair values;  // for its token, nonces and link id
  LinkSession dialer =
      LinkSession::Dial(LinkPair::kLinkId, values.token, values.dialer_nonce);
  const LinkMessage hello = MessageExample("hello");
  EXPECT_EQ(hello.payload, BytesOf(values.dialer_nonce));
  EXPECT_EQ(dialer.Seal(LinkKind::kHello, 0, hello.payload), hello.header);

  auto acceptor = LinkSession::Accept(values.token, values.acceptor_nonce,
                                      hello.header, hello.payload);
  ASSERT_OK(acceptor);
  const LinkMessage ack = MessageExample("hello-ack");
  EXPECT_EQ(ack.payload, BytesOf(values.acceptor_nonce));
  EXPECT_EQ(acceptor->Seal(LinkKind::kHelloAck, 0, ack.payload), ack.header);
  EXPECT_OK(dialer.TakeAck(ack.header, ack.payload));

  const LinkMessage frame{MessageExample("frame-header").header,
                          Example("dispatch")};
  EXPECT_EQ(dialer.Seal(LinkKind::kFrame, 0, frame.payload), frame.header);
  EXPECT_TRUE(MayEnter(*acceptor, frame));
  const LinkMessage answer{MessageExample("answer-header").header,
                           Example("combine")};
  EXPECT_EQ(acceptor->Seal(LinkKind::kFrame, 0, answer.payload), answer.header);
  EXPECT_TRUE(MayEnter(dialer, answer));

  const LinkMessage ping = MessageExample("ping");
  EXPECT_EQ(ping.payload.size(), 4U);
  EXPECT_EQ(dialer.Seal(LinkKind::kPing, 99, ping.payload), ping.header);
  EXPECT_TRUE(MayEnter(*acceptor, ping));
}

}  // namespace
}  // namespace mesh::router
