// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/recorded_answer.h"

#include <gtest/gtest.h>

#include "tests/gateway/admission/idempotency_fixture.h"

namespace mesh::gateway {
namespace {

class RecordedAnswerTest : public IdempotencyTest {};

TEST_F(RecordedAnswerTest, AStreamIsReplayedByteForByte) {
  const ClientPtr first = NewClient();
  const auto writer = OpenKey(first);
  Start(*writer);
  std::string all;
  for (int i = 0; i < 100; ++i) {
    const std::string piece = "data: " + std::to_string(i) + "\n\n";
    all += piece;
    writer->Write(piece, Count());
    Settle();
  }
  writer->EndStream();
  Settle();
  EXPECT_EQ(num_written_, 100);
  EXPECT_EQ(first->text, all);
  EXPECT_TRUE(first->ended);
  const ClientPtr again = NewClient();
  EXPECT_EQ(OpenKey(again), nullptr);
  Settle();
  EXPECT_EQ(again->text, all);
  EXPECT_TRUE(again->ended);
  EXPECT_EQ(again->whole.headers, first->whole.headers);
  EXPECT_EQ(again->kept_alive_with, ": ka");
}

TEST_F(RecordedAnswerTest, ASecondOneJoinsTheStreamFromItsBeginning) {
  const ClientPtr first = NewClient();
  const auto writer = OpenKey(first);
  const ClientPtr early = NewClient();
  EXPECT_EQ(OpenKey(early), nullptr);
  EXPECT_FALSE(early->streams);
  Start(*writer);
  writer->Write("one ", Count());
  Settle();
  const ClientPtr late = NewClient();
  EXPECT_EQ(OpenKey(late), nullptr);
  writer->Write("two", Count());
  Settle();
  writer->EndStream();
  Settle();
  for (const ClientPtr& client : {first, early, late}) {
    EXPECT_EQ(client->text, "one two");
    EXPECT_TRUE(client->ended);
  }
  EXPECT_EQ(num_written_, 2);
  EXPECT_EQ(store_->GetStats().num_joined, 2u);
}

TEST_F(RecordedAnswerTest, GoesAtThePaceOfTheFastestReader) {
  const ClientPtr slow = NewClient(false);
  const auto writer = OpenKey(slow);
  Start(*writer);
  writer->Write("one ", Count());
  Settle();
  EXPECT_EQ(num_written_, 0);
  const ClientPtr fast = NewClient();
  OpenKey(fast);
  Settle();
  EXPECT_EQ(num_written_, 1);
  writer->Write("two", Count());
  writer->EndStream();
  Settle();
  EXPECT_EQ(num_written_, 2);
  EXPECT_EQ(fast->text, "one two");
  EXPECT_TRUE(fast->ended);
  EXPECT_FALSE(slow->ended);
  EXPECT_TRUE(slow->Read());
  EXPECT_TRUE(slow->Read());
  EXPECT_EQ(slow->text, "one two");
  EXPECT_TRUE(slow->ended);
}

TEST_F(RecordedAnswerTest, GoesOnWithoutReaders) {
  const ClientPtr first = NewClient();
  const auto writer = OpenKey(first);
  bool gone = false;
  writer->OnGone([&] { gone = true; });
  Start(*writer);
  writer->Write("one ", Count());
  first->GoAway();
  EXPECT_EQ(num_written_, 0);  // never from within a call
  Settle();
  EXPECT_EQ(num_written_, 1);
  writer->Write("two", Count());
  EXPECT_EQ(num_written_, 1);
  Settle();
  EXPECT_EQ(num_written_, 2);
  const ClientPtr retry = NewClient();
  EXPECT_EQ(OpenKey(retry), nullptr);
  writer->EndStream();
  Settle();
  EXPECT_EQ(retry->text, "one two");
  EXPECT_TRUE(retry->ended);
  EXPECT_FALSE(gone);
}

TEST_F(RecordedAnswerTest, ALongAnswerGoesOnUnrecorded) {
  Make({.max_answer_bytes = 4096});
  const ClientPtr first = NewClient();
  const auto writer = OpenKey(first);
  const ClientPtr joined = NewClient(false);
  OpenKey(joined);
  bool gone = false;
  writer->OnGone([&] { gone = true; });
  Start(*writer);
  std::string all;
  for (int i = 0; i < 4; ++i) {
    all += std::string(1000, static_cast<char>('a' + i));
    writer->Write(all.substr(all.size() - 1000), Count());
    Settle();
  }
  // Three were kept; the last waits for the slower one.
  EXPECT_EQ(num_written_, 3);
  EXPECT_EQ(store_->GetStats().num_answers, 0u);
  EXPECT_EQ(store_->GetStats().num_bytes, 0u);
  while (joined->Read()) {
  }
  Settle();
  EXPECT_EQ(num_written_, 4);
  // Another try is a request of its own.
  EXPECT_NE(OpenKey(NewClient()), nullptr);
  joined->GoAway();
  Settle();
  EXPECT_FALSE(gone);
  EXPECT_EQ(first->text, all);
  first->GoAway();
  Settle();
  EXPECT_TRUE(gone);
  writer->Write("nobody reads this", Count());
  Settle();
  EXPECT_EQ(num_failed_, 1);
}

TEST_F(RecordedAnswerTest, GoneIsToldAlsoToThoseWhoAskLate) {
  Make({.max_answer_bytes = 2000});
  const ClientPtr first = NewClient();
  const auto writer = OpenKey(first);
  Start(*writer);
  first->GoAway();
  writer->Write(std::string(2000, 'x'), Count());
  bool gone = false;
  writer->OnGone([&] { gone = true; });
  EXPECT_FALSE(gone);  // never from within a call
  Settle();
  EXPECT_TRUE(gone);
  EXPECT_EQ(num_failed_, 1);
}

TEST_F(RecordedAnswerTest, WhatBreaksOffIsNotKept) {
  const ClientPtr first = NewClient(false);
  const auto writer = OpenKey(first);
  const ClientPtr joined = NewClient();
  OpenKey(joined);
  Start(*writer);
  writer->Write("one", Count());
  writer->Abort();
  Settle();
  EXPECT_EQ(num_written_ + num_failed_, 1);
  EXPECT_TRUE(joined->aborted);
  EXPECT_EQ(store_->GetStats().num_answers, 0u);
  EXPECT_NE(OpenKey(NewClient()), nullptr);
}

TEST_F(RecordedAnswerTest, AWriterThatGoesBreaksOff) {
  const ClientPtr first = NewClient();
  OpenKey(first).reset();
  EXPECT_TRUE(first->aborted);
  EXPECT_EQ(store_->GetStats().num_answers, 0u);
}

TEST_F(RecordedAnswerTest, AnErrorInAStreamIsNotKept) {
  const ClientPtr first = NewClient();
  const auto writer = OpenKey(first);
  Start(*writer);
  writer->Write("data: {\"error\":{}}\n\n", Count());
  writer->DoNotKeep();
  writer->EndStream();
  Settle();
  EXPECT_TRUE(first->ended);
  EXPECT_EQ(num_written_, 1);
  EXPECT_EQ(store_->GetStats().num_answers, 0u);
}

TEST_F(RecordedAnswerTest, NothingIsKeptAliveByAClientThatIsGone) {
  const ClientPtr client = NewClient();
  const std::weak_ptr<FakeClient> weak = client;
  const auto writer = OpenKey(client);
  Start(*writer);
  client->GoAway();
  Settle();
  clients_.clear();
  EXPECT_EQ(weak.use_count(), 1);  // this test's
}

}  // namespace
}  // namespace mesh::gateway
