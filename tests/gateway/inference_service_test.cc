// SPDX-License-Identifier: Apache-2.0
#include "gateway/inference_service.h"

#include <gtest/gtest.h>

#include "tests/gateway/gateway_fixture.h"

namespace mesh::gateway {
namespace {

using InferenceServiceTest = GatewayTest;

TEST_F(InferenceServiceTest, TokenizeAndDetokenizeAreInverse) {
  StartGateway();
  v1::TokenizeRequest request;
  request.set_text("Grüße <｜User｜> 日本");
  v1::TokenizeResponse tokens;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->Tokenize(&context, request, &tokens).ok());
  EXPECT_GT(tokens.ids_size(), 5);
  v1::DetokenizeRequest back;
  *back.mutable_ids() = tokens.ids();
  v1::DetokenizeResponse text;
  grpc::ClientContext second;
  ASSERT_TRUE(stub_->Detokenize(&second, back, &text).ok());
  EXPECT_EQ(text.text(), request.text());
}

TEST_F(InferenceServiceTest, TokenizeOfMessagesIsThePrompt) {
  FakeAttentionNode& node = AddNode();
  StartGateway();
  v1::GenerateRequest generate;
  v1::Message* message = generate.mutable_messages()->add_messages();
  message->set_role("user");
  message->set_content("Hello");
  generate.set_max_tokens(1);
  ASSERT_TRUE(Generate(generate).status.ok());
  v1::TokenizeRequest request;
  *request.mutable_messages() = generate.messages();
  v1::TokenizeResponse tokens;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->Tokenize(&context, request, &tokens).ok());
  const auto submit = node.LastSubmit();
  EXPECT_EQ(std::vector<int>(tokens.ids().begin(), tokens.ids().end()),
            std::vector<int>(submit->prompt().begin(), submit->prompt().end()));
}

TEST_F(InferenceServiceTest, BadInputsAreNamed) {
  StartGateway();
  grpc::ClientContext first;
  v1::TokenizeResponse tokens;
  EXPECT_EQ(stub_->Tokenize(&first, {}, &tokens).error_message(),
            "the request has no input, expected text or messages");
  v1::DetokenizeRequest request;
  request.add_ids(5);
  request.add_ids(2048);
  v1::DetokenizeResponse text;
  grpc::ClientContext second;
  EXPECT_EQ(stub_->Detokenize(&second, request, &text).error_message(),
            "ids[1] is token 2048, expected 0 to 2047");
}

TEST_F(InferenceServiceTest, ListModelsNeedsAnAttentionNode) {
  StartGateway();
  v1::ListModelsResponse models;
  grpc::ClientContext context;
  EXPECT_EQ(stub_->ListModels(&context, {}, &models).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(InferenceServiceTest, ListModelsTellsWhatIsServed) {
  AddNode({.max_positions = 512});
  StartGateway();
  v1::ListModelsResponse models;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->ListModels(&context, {}, &models).ok());
  ASSERT_EQ(models.models_size(), 1);
  EXPECT_EQ(models.models(0).name(), "tiny-r1");
  EXPECT_EQ(models.models(0).context_length(), 512U);
  EXPECT_EQ(models.models(0).vocab_size(), 2048U);
  EXPECT_EQ(models.models(0).digest(), std::string(16, 'd'));
  EXPECT_EQ(models.models(0).numerics_class(), "fake-1");
  EXPECT_NE(models.models(0).chat_template(), "");
}

}  // namespace
}  // namespace mesh::gateway
