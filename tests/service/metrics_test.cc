// SPDX-License-Identifier: Apache-2.0
#include "service/metrics.h"

#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include "absl/strings/str_cat.h"
#include "tests/support/http_get.h"
#include "tests/support/status_matchers.h"

namespace mesh::service {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Metrics, AreReadOverHttp) {
  const auto metrics = Metrics::Start("127.0.0.1:0", "router");
  ASSERT_OK(metrics);
  prometheus::BuildCounter()
      .Name("mesh_test_events_total")
      .Help("Of this test.")
      .Register((*metrics)->Registry())
      .Add({{"kind", "x"}})
      .Increment(3);
  const std::string answer = HttpGet((*metrics)->Address(), "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(answer,
              HasSubstr("mesh_build_info{role=\"router\",version=\"0."));
  EXPECT_THAT(answer, HasSubstr("mesh_test_events_total{kind=\"x\"} 3"));
  EXPECT_THAT(answer, HasSubstr("\nmesh_process_resident_memory_bytes "));
  EXPECT_THAT(answer, HasSubstr("\nmesh_process_open_fds "));
  EXPECT_THAT(answer,
              HasSubstr("# TYPE mesh_process_cpu_seconds_total counter"));
}

TEST(Metrics, AreTextForAnotherPort) {
  const auto metrics = Metrics::Start("", "gateway");
  ASSERT_OK(metrics);
  const std::string text = (*metrics)->Text();
  EXPECT_THAT(text, HasSubstr("mesh_build_info{role=\"gateway\",version=\"0."));
  EXPECT_THAT(text, HasSubstr("\nmesh_process_open_fds "));
}

TEST(Metrics, NothingListensWithoutAnAddress) {
  const auto metrics = Metrics::Start("", "router");
  ASSERT_OK(metrics);
  EXPECT_EQ((*metrics)->Address(), "");
}

TEST(Metrics, ATakenPortIsAnErrorThatSaysWhatToDo) {
  const auto metrics = Metrics::Start("127.0.0.1:0", "router");
  ASSERT_OK(metrics);
  EXPECT_THAT(Metrics::Start((*metrics)->Address(), "router"),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       absl::StrCat("address ", (*metrics)->Address(),
                                    ": the port is taken; choose another with "
                                    "--metrics-listen")));
  EXPECT_THAT(Metrics::Start("9400", "router"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(Metrics, ThePortIsFreeAfterTheEnd) {
  std::string address;
  {
    const auto metrics = Metrics::Start("127.0.0.1:0", "router");
    ASSERT_OK(metrics);
    address = (*metrics)->Address();
    EXPECT_THAT(HttpGet(address, "/"), StartsWith("HTTP/1.1 404"));
  }
  EXPECT_OK(Metrics::Start(address, "router"));
}

}  // namespace
}  // namespace mesh::service
