// SPDX-License-Identifier: Apache-2.0
#include "cli/certificate.h"

#include <cstdio>
#include <string>

#include "gtest/gtest.h"

namespace mesh::cli {
namespace {

// A self-signed certificate over P-256 for "expertmesh test".
constexpr char kPem[] = R"(-----BEGIN CERTIFICATE-----
MIIBijCCATGgAwIBAgIUJKm8te8munZFfT/UxuUVJ8Gg9GYwCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPZXhwZXJ0bWVzaCB0ZXN0MCAXDTI2MTEyNTE4MjQ1NVoYDzIx
MjYxMTAxMTgyNDU1WjAaMRgwFgYDVQQDDA9leHBlcnRtZXNoIHRlc3QwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAATpMGp6buD4pbMCIqZ3RQ/x53Q8+j1IrfSbslrq
+8frTuXlkP8TcvPSnLYxJhbwK7VoFO4Bj1Wf7ErM1VnSRNudo1MwUTAdBgNVHQ4E
FgQUpZruOFP1RHPb/gkL0hnH1d8iqZUwHwYDVR0jBBgwFoAUpZruOFP1RHPb/gkL
0hnH1d8iqZUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBevDM6
4gZi6ChpkHdHLBn9BgJiGN0j7kqeW6Cw5US91AIgEGidJyS7VJQGY0TxIf6FNmU0
pUzbrr5fyXyLXGMwkPA=
-----END CERTIFICATE-----
)";

std::string Write(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + "/" + name;
  FILE* file = std::fopen(path.c_str(), "w");
  std::fwrite(text.data(), 1, text.size(), file);
  std::fclose(file);
  return path;
}

absl::Time Day(int year, int month, int day) {
  return absl::FromCivil(absl::CivilDay(year, month, day), absl::UTCTimeZone());
}

TEST(ReadCertificate, SaysWhenItIsValid) {
  const std::string path = Write("good.pem", kPem);
  const auto view = ReadCertificate(path);
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_EQ(view->path, path);
  EXPECT_GT(view->valid_from, Day(2020, 1, 1));
  EXPECT_EQ(view->valid_until - view->valid_from, absl::Hours(24 * 36500));
}

TEST(ReadCertificate, ErrorsNameTheFile) {
  const auto missing = ReadCertificate(testing::TempDir() + "/none.pem");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  const auto text = ReadCertificate(Write("text.pem", "no certificate"));
  EXPECT_EQ(text.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(text.status().message().find("text.pem"), std::string::npos);
}

}  // namespace
}  // namespace mesh::cli
