// SPDX-License-Identifier: Apache-2.0
#include "service/logger.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "core/json.h"
#include "tests/support/status_matchers.h"

namespace mesh::service {
namespace {

using ::testing::HasSubstr;

// The lines that `log` makes of a logger of that level.
template <typename Log>
std::vector<Json> LinesOf(const std::string& level, Log log) {
  const auto logger = Logger::Create(level, "expert-node", "expert-0");
  EXPECT_OK(logger);
  ::testing::internal::CaptureStderr();
  log(**logger);
  std::vector<Json> lines;
  const std::string text = ::testing::internal::GetCapturedStderr();
  for (const absl::string_view line :
       absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const absl::StatusOr<Json> parsed = ParseJson(line, "log");
    EXPECT_OK(parsed);
    if (parsed.ok()) lines.push_back(*parsed);
  }
  return lines;
}

TEST(Logger, WritesOneObjectALine) {
  const auto lines = LinesOf("info", [](const Logger& logger) {
    logger.Info("loaded", {{"experts", 12},
                           {"bytes", uint64_t{1} << 63},
                           {"seconds", 0.5},
                           {"warm", true},
                           {"dir", "a\"b\n"}});
  });
  ASSERT_EQ(lines.size(), 1U);
  Json line = lines[0];
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full,
                              line["time"].get<std::string>(), &time, &error));
  EXPECT_EQ(line["time"].get<std::string>().size(),
            sizeof("2025-01-02T03:04:05.678Z") - 1);
  line.erase("time");
  EXPECT_EQ(line.dump(),
            R"({"level":"info","role":"expert-node","node":"expert-0",)"
            R"("event":"loaded","experts":12,"bytes":9223372036854775808,)"
            R"("seconds":0.5,"warm":true,"dir":"a\"b\n"})");
}

TEST(Logger, LeavesOutWhatIsBelowItsLevel) {
  const auto lines = LinesOf("warning", [](const Logger& logger) {
    logger.Debug("d");
    logger.Info("i");
    logger.Warning("w");
    logger.Error("e");
  });
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["level"], "warning");
  EXPECT_EQ(lines[1]["level"], "error");
}

TEST(Logger, TakesAnyBytesAndNumbers) {
  const auto lines = LinesOf("debug", [](const Logger& logger) {
    logger.Debug("\xff\xfe", {{"bad", std::string("a\xc3(\0", 4)},
                              {"nan", std::nan("")},
                              {"infinite", HUGE_VAL}});
  });
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0]["bad"].get<std::string>(), HasSubstr("\xef\xbf\xbd"));
  EXPECT_TRUE(lines[0]["nan"].is_null());
}

TEST(Logger, LinesOfThreadsDoNotMix) {
  const auto lines = LinesOf("info", [](const Logger& logger) {
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 200; ++j) {
          logger.Info("tick", {{"text", std::string(200, 'x')}});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(lines.size(), 800U);
}

TEST(Logger, RefusesAnUnknownLevel) {
  EXPECT_THAT(Logger::Create("loud", "router", "r"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "--log-level: 'loud' is no level; expected debug, info, "
                       "warning or error"));
}

}  // namespace
}  // namespace mesh::service
