// SPDX-License-Identifier: Apache-2.0
#include "service/tls.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace mesh::service {
namespace {

using ::testing::HasSubstr;

constexpr auto kBad = absl::StatusCode::kInvalidArgument;

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    for (const char* name : {"ca", "cert", "key"}) {
      folder_.Write(name, "-----BEGIN SOMETHING-----\n");
    }
    chmod(tls_.key_file.c_str(), 0600);
  }

  TempDir folder_;
  TlsOptions tls_ = {folder_.Path("ca"), folder_.Path("cert"),
                     folder_.Path("key")};
};

TEST_F(TlsTest, AllThreeOrNone) {
  EXPECT_OK(CheckTls({}));
  EXPECT_OK(CheckTls(tls_));
  for (std::string TlsOptions::*file :
       {&TlsOptions::ca_file, &TlsOptions::cert_file, &TlsOptions::key_file}) {
    TlsOptions tls = tls_;
    (tls.*file).clear();
    EXPECT_THAT(CheckTls(tls), StatusIs(kBad, HasSubstr("all three or none")));
  }
}

TEST_F(TlsTest, TheKeyIsNotForEverybody) {
  chmod(tls_.key_file.c_str(), 0640);
  EXPECT_OK(CheckTls(tls_));
  chmod(tls_.key_file.c_str(), 0644);
  EXPECT_THAT(CheckTls(tls_), StatusIs(kBad, HasSubstr("chmod o-rwx")));
}

TEST_F(TlsTest, FilesAreThereAndPem) {
  folder_.Write("cert", "binary");
  EXPECT_THAT(CheckTls(tls_), StatusIs(kBad, HasSubstr("not a PEM file")));
  tls_.cert_file = folder_.Path("none");
  EXPECT_THAT(CheckTls(tls_), StatusIs(absl::StatusCode::kNotFound,
                                       HasSubstr(folder_.Path("none"))));
}

}  // namespace
}  // namespace mesh::service
