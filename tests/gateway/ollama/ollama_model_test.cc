// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/json.h"
#include "tests/gateway/openai/answer_fixture.h"

namespace mesh::gateway {
namespace {

class OllamaModelFactsTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(dir_); }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  void Write(const std::string& name, const std::string& content) {
    std::ofstream(dir_ + "/" + name) << content;
  }

  const std::string dir_ =
      ::testing::TempDir() + "/ollama_model_" +
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(OllamaModelFactsTest, ComeFromTheFolder) {
  Write("config.json",
        R"({"model_type": "deepseek_v3", "torch_dtype": "bfloat16"})");
  Write("a.safetensors", "12345");
  Write("b.safetensors", "12");
  Write("other", "1");
  const auto facts = ReadOllamaModelFacts(dir_);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->family, "deepseek_v3");
  EXPECT_EQ(facts->quantization, "BF16");
  EXPECT_EQ(facts->num_bytes, 7);
  EXPECT_GT(facts->modified, absl::UnixEpoch());
}

TEST_F(OllamaModelFactsTest, MayBeUnknown) {
  Write("config.json", R"({"model_type": 3})");
  const auto facts = ReadOllamaModelFacts(dir_);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->family, "");
  EXPECT_EQ(facts->quantization, "");
  EXPECT_EQ(facts->num_bytes, 0);
}

TEST_F(OllamaModelFactsTest, NameTheQuantization) {
  Write("config.json", R"({"torch_dtype": "bfloat16",
                           "quantization_config": {"quant_method": "fp8"}})");
  EXPECT_EQ(ReadOllamaModelFacts(dir_)->quantization, "FP8");
}

TEST_F(OllamaModelFactsTest, NeedAConfiguration) {
  EXPECT_EQ(ReadOllamaModelFacts(dir_).status().code(),
            absl::StatusCode::kNotFound);
  Write("config.json", "[]");
  EXPECT_EQ(ReadOllamaModelFacts(dir_).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(OllamaModel, Names) {
  EXPECT_EQ(OllamaName("m"), "m:latest");
  EXPECT_EQ(OllamaName("m:7b"), "m:7b");
  EXPECT_EQ(WithoutLatestTag("m:latest"), "m");
  EXPECT_EQ(WithoutLatestTag("m:7b"), "m:7b");
  EXPECT_EQ(WithoutLatestTag("m"), "m");
}

TEST(OllamaModel, Shows) {
  const OllamaModelFacts facts{.family = "deepseek_v3", .quantization = "BF16"};
  const auto body = ParseJson(OllamaShowBody(TinyR1(), facts, 2048), "body");
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ((*body)["parameters"],
            "temperature                    0.6\n"
            "top_p                          0.95");
  EXPECT_EQ((*body)["capabilities"], Json({"completion", "thinking"}));
  EXPECT_EQ((*body)["details"]["family"], "deepseek_v3");
  EXPECT_EQ((*body)["details"]["families"], Json({"deepseek_v3"}));
  EXPECT_EQ((*body)["details"]["quantization_level"], "BF16");
  EXPECT_EQ((*body)["model_info"]["general.architecture"], "deepseek_v3");
  EXPECT_EQ((*body)["model_info"]["deepseek_v3.context_length"], 2048);
  EXPECT_EQ((*body)["model_info"]["deepseek_v3.vocab_size"], 2048);
  EXPECT_FALSE((*body)["template"].get<std::string>().empty());
}

}  // namespace
}  // namespace mesh::gateway
