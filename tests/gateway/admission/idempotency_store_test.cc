// SPDX-License-Identifier: Apache-2.0
#include "gateway/admission/idempotency_store.h"

#include <gtest/gtest.h>

#include "gateway/api_error.h"
#include "tests/gateway/admission/idempotency_fixture.h"

namespace mesh::gateway {
namespace {

class IdempotencyStoreTest : public IdempotencyTest {};

TEST_F(IdempotencyStoreTest, OtherRequestsPassThrough) {
  const ClientPtr client = NewClient();
  HttpRequest request = MakeRequest("k");
  request.method = "GET";
  EXPECT_EQ(Open(request, client).value(), client);
  request.method = "POST";
  request.headers.clear();
  EXPECT_EQ(Open(request, client).value(), client);
  EXPECT_EQ(store_->GetStats().num_answers, 0u);
}

TEST_F(IdempotencyStoreTest, KeysAreChecked) {
  const ClientPtr client = NewClient();
  for (const std::string& key :
       {std::string(), std::string(256, 'k'), std::string("a b"),
        std::string("a\nb"), std::string("\xc3\xa4"), std::string("\x7f")}) {
    const absl::Status refused = Open(MakeRequest(key), client).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_EQ(DetailsOf(refused).code, "invalid_idempotency_key");
  }
  EXPECT_TRUE(Open(MakeRequest(std::string(255, '~')), client).ok());
  HttpRequest request = MakeRequest("one");
  request.headers.emplace_back("Idempotency-Key", "two");
  EXPECT_FALSE(Open(request, client).ok());
}

TEST_F(IdempotencyStoreTest, AWholeAnswerIsReplayed) {
  const ClientPtr first = NewClient();
  const auto writer = OpenKey(first);
  writer->Respond({.status = 200, .headers = {{"X", "1"}}, .body = "answer"});
  EXPECT_EQ(first->whole.body, "answer");
  const ClientPtr again = NewClient();
  EXPECT_EQ(OpenKey(again), nullptr);
  EXPECT_EQ(again->whole.status, 200);
  EXPECT_EQ(again->whole.headers, first->whole.headers);
  EXPECT_EQ(again->whole.body, "answer");
  EXPECT_EQ(store_->GetStats().num_replayed, 1u);
}

TEST_F(IdempotencyStoreTest, ErrorsOfTheRequestAreReplayedToo) {
  OpenKey(NewClient())->Respond({.status = 400, .headers = {}, .body = "no"});
  const ClientPtr again = NewClient();
  EXPECT_EQ(OpenKey(again), nullptr);
  EXPECT_EQ(again->whole.status, 400);
}

TEST_F(IdempotencyStoreTest, ErrorsThatPassAreNotKept) {
  for (const int status : {429, 500, 503, 504}) {
    const ClientPtr first = NewClient();
    const auto writer = OpenKey(first);
    const ClientPtr joined = NewClient();
    EXPECT_EQ(OpenKey(joined), nullptr);
    writer->Respond({.status = status, .headers = {}, .body = "later"});
    EXPECT_EQ(first->whole.status, status);
    EXPECT_EQ(joined->whole.status, status);
    EXPECT_EQ(store_->GetStats().num_answers, 0u);
    EXPECT_EQ(store_->GetStats().num_bytes, 0u);
  }
}

TEST_F(IdempotencyStoreTest, AnotherRequestIsAConflict) {
  OpenKey(NewClient())->Respond({.status = 200, .headers = {}, .body = "x"});
  const ClientPtr client = NewClient();
  const absl::Status refused =
      Open(MakeRequest("k", "{\"other\":1}"), client).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(DetailsOf(refused).code, "idempotency_mismatch");
  EXPECT_EQ(DetailsOf(refused).http_status, 409);
  HttpRequest elsewhere = MakeRequest("k");
  elsewhere.path = "/v1/completions";
  EXPECT_FALSE(Open(elsewhere, client).ok());
  EXPECT_EQ(store_->GetStats().num_mismatches, 2u);
}

TEST_F(IdempotencyStoreTest, TenantsHaveKeysOfTheirOwn) {
  OpenKey(NewClient())->Respond({.status = 200, .headers = {}, .body = "a's"});
  const ClientPtr client = NewClient();
  EXPECT_NE(Open(MakeRequest("k", "other"), client, "b").value(), nullptr);
  EXPECT_FALSE(client->ended);
}

TEST_F(IdempotencyStoreTest, AnswersAreKeptForAWhile) {
  OpenKey(NewClient(), "old")->Respond({});
  const auto running = OpenKey(NewClient(), "running");
  clock_.Advance(absl::Minutes(9));
  OpenKey(NewClient(), "new")->Respond({});
  store_->Tick();
  EXPECT_EQ(store_->GetStats().num_answers, 3u);
  clock_.Advance(absl::Minutes(1));
  store_->Tick();
  EXPECT_EQ(store_->GetStats().num_answers, 2u);
  EXPECT_NE(OpenKey(NewClient(), "old"), nullptr);
  EXPECT_EQ(OpenKey(NewClient(), "new"), nullptr);
  EXPECT_EQ(OpenKey(NewClient(), "running"), nullptr);
}

TEST_F(IdempotencyStoreTest, TheLongestUnusedGoesFirst) {
  Make({.max_answer_bytes = 10000, .max_total_bytes = 40000});
  for (const char* key : {"0", "1", "2"}) {
    OpenKey(NewClient(), key)
        ->Respond(
            {.status = 200, .headers = {}, .body = std::string(8000, 'x')});
  }
  EXPECT_EQ(OpenKey(NewClient(), "0"), nullptr);
  for (const char* key : {"3", "4"}) {
    OpenKey(NewClient(), key)
        ->Respond(
            {.status = 200, .headers = {}, .body = std::string(8000, 'x')});
  }
  EXPECT_LE(store_->GetStats().num_bytes, 40000u);
  EXPECT_EQ(OpenKey(NewClient(), "0"), nullptr);
  EXPECT_NE(OpenKey(NewClient(), "1"), nullptr);
}

TEST_F(IdempotencyStoreTest, WithoutRoomNothingIsRecorded) {
  Make({.max_answer_bytes = 10000, .max_total_bytes = 2500});
  const auto first = OpenKey(NewClient(), "1");
  const auto second = OpenKey(NewClient(), "2");
  const ClientPtr client = NewClient();
  EXPECT_EQ(OpenKey(client, "3"), client);
  Start(*first);
  first->Write(std::string(1000, 'x'), Count());
  Settle();
  EXPECT_EQ(num_written_, 1);
  EXPECT_EQ(store_->GetStats().num_answers, 1u);
}

}  // namespace
}  // namespace mesh::gateway
