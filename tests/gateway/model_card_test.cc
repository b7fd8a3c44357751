// SPDX-License-Identifier: Apache-2.0
#include "gateway/model_card.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace mesh::gateway {
namespace {

class ModelCardTest : public ::testing::Test {
 protected:
  ModelCardTest()
      : dir_(::testing::TempDir() + "/model_card_" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::create_directories(dir_);
  }
  ~ModelCardTest() override { std::filesystem::remove_all(dir_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ + "/" + name) << text;
  }

  const std::string dir_;
};

constexpr char kConfig[] =
    R"({"vocab_size": 50, "max_position_embeddings": 64, "eos_token_id": 3})";

TEST_F(ModelCardTest, ConfigAlone) {
  Write("config.json", kConfig);
  const auto card = ReadModelCard(dir_);
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_EQ(card->name, "model_card_ConfigAlone");
  EXPECT_EQ(card->vocab_size, 50);
  EXPECT_EQ(card->max_positions, 64);
  EXPECT_EQ(card->eos_token_ids, std::vector<TokenId>{3});
  EXPECT_EQ(card->temperature, std::nullopt);
  EXPECT_EQ(ReadModelCard(dir_ + "/")->name, card->name);
}

TEST_F(ModelCardTest, GenerationConfigRecommends) {
  Write("config.json", kConfig);
  Write("generation_config.json",
        R"({"temperature": 0.5, "top_p": 0.9, "eos_token_id": [4, 5]})");
  const auto card = ReadModelCard(dir_);
  ASSERT_TRUE(card.ok()) << card.status();
  EXPECT_EQ(card->temperature, 0.5F);
  EXPECT_EQ(card->top_p, 0.9F);
  EXPECT_EQ(card->eos_token_ids, (std::vector<TokenId>{4, 5}));
}

TEST_F(ModelCardTest, BadFieldsAreNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "config.json: expected an object"},
      {R"({"max_position_embeddings": 64})",
       "config.json: vocab_size: expected an integer from 1 to 16777216"},
      {R"({"vocab_size": 50, "max_position_embeddings": 0})",
       "config.json: max_position_embeddings: expected an integer from 1 to "
       "16777216"},
      {R"({"vocab_size": 50, "max_position_embeddings": 9, "eos_token_id": 50})",
       "config.json: eos_token_id: expected token ids from 0 to 49"},
  };
  for (const auto& [text, message] : cases) {
    Write("config.json", text);
    EXPECT_EQ(ReadModelCard(dir_).status(),
              absl::InvalidArgumentError(dir_ + "/" + message));
  }
  Write("config.json", kConfig);
  for (const char* text :
       {R"({"temperature": 2.5})", R"({"top_p": 0})", R"({"top_p": "x"})"}) {
    Write("generation_config.json", text);
    EXPECT_EQ(ReadModelCard(dir_).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST_F(ModelCardTest, NoModelIsNotFound) {
  EXPECT_EQ(ReadModelCard(dir_).status(),
            absl::NotFoundError(dir_ + "/config.json: no such file; expected a "
                                       "model folder"));
}

}  // namespace
}  // namespace mesh::gateway
