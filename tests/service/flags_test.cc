// SPDX-License-Identifier: Apache-2.0
#include "service/flags.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/listen_flags.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace mesh::service {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kBad = absl::StatusCode::kInvalidArgument;
constexpr char kAskHelp[] = "; --help shows the flags";

// A router's flags, say, of every type.
class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest() : flags_("router", "router", "keeps the mesh together") {
    flags_.Add("name", &name_, "the node's name");
    flags_.Add("insecure-lab", &lab_, "no certificates");
    flags_.Add("replicas", &replicas_, "copies", 1, 32);
    flags_.Add("seed", &seed_, "a seed");
    flags_.Add("share", &share_, "a share", 0.0, 1.0);
    flags_.Add("lease", &lease_, "how long a node may be silent");
  }

  absl::StatusOr<bool> Parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "router");
    std::vector<char*> pointers;
    pointers.reserve(arguments.size());
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    return flags_.Parse(static_cast<int>(pointers.size()), pointers.data());
  }

  absl::StatusOr<bool> ParseFile(const std::string& yaml,
                                 std::vector<std::string> arguments = {}) {
    folder_.Write("mesh.yaml", yaml);
    arguments.insert(arguments.begin(),
                     "--config=" + folder_.Path("mesh.yaml"));
    return Parse(arguments);
  }

  TempDir folder_;
  std::string name_ = "router-0";
  bool lab_ = false;
  int replicas_ = 1;
  uint64_t seed_ = 0;
  double share_ = 0.5;
  absl::Duration lease_ = absl::Seconds(2);
  Flags flags_;
};

TEST_F(FlagsTest, DefaultsStay) {
  EXPECT_THAT(Parse({}).value(), true);
  EXPECT_EQ(name_, "router-0");
  EXPECT_EQ(lease_, absl::Seconds(2));
}

TEST_F(FlagsTest, TakesBothSpellingsOfEveryType) {
  ASSERT_OK(
      Parse({"--name", "a b", "--insecure-lab", "--replicas=3", "--seed",
             "18446744073709551615", "--share=0.25", "--lease", "250ms"}));
  EXPECT_EQ(name_, "a b");
  EXPECT_TRUE(lab_);
  EXPECT_EQ(replicas_, 3);
  EXPECT_EQ(seed_, 18446744073709551615U);
  EXPECT_EQ(share_, 0.25);
  EXPECT_EQ(lease_, absl::Milliseconds(250));
}

TEST_F(FlagsTest, SwitchesMayBeSetToFalse) {
  lab_ = true;
  ASSERT_OK(Parse({"--insecure-lab=false"}));
  EXPECT_FALSE(lab_);
}

TEST_F(FlagsTest, ValuesMayBeEmptyOrHoldEqualsSigns) {
  ASSERT_OK(Parse({"--name="}));
  EXPECT_EQ(name_, "");
  ASSERT_OK(Parse({"--name=a=b"}));
  EXPECT_EQ(name_, "a=b");
}

TEST_F(FlagsTest, SaysWhatIsWrongWithAFlag) {
  EXPECT_THAT(Parse({"--nmae", "x"}),
              StatusIs(kBad, absl::StrCat("--nmae: no such flag", kAskHelp)));
  EXPECT_THAT(Parse({"x"}),
              StatusIs(kBad, absl::StrCat("'x': expected a flag", kAskHelp)));
  EXPECT_THAT(Parse({"--"}), StatusIs(kBad, HasSubstr("expected a flag")));
  EXPECT_THAT(Parse({"--name"}), StatusIs(kBad, HasSubstr("needs a value")));
  EXPECT_THAT(Parse({"--name", "--seed=1"}),
              StatusIs(kBad, HasSubstr("--name: needs a value")));
  EXPECT_THAT(Parse({"--seed=1", "--seed=1"}),
              StatusIs(kBad, "--seed: given twice; give it once"));
}

TEST_F(FlagsTest, SaysWhatIsWrongWithAValue) {
  EXPECT_THAT(
      Parse({"--replicas=0"}),
      StatusIs(kBad, "--replicas: '0', expected a whole number from 1 to 32"));
  EXPECT_THAT(Parse({"--replicas=3x"}), StatusIs(kBad, HasSubstr("'3x'")));
  EXPECT_THAT(Parse({"--replicas=99999999999"}), StatusIs(kBad));
  EXPECT_THAT(Parse({"--seed=-1"}), StatusIs(kBad, HasSubstr("2^64 - 1")));
  EXPECT_THAT(Parse({"--share=nan"}),
              StatusIs(kBad, HasSubstr("a number from 0 to 1")));
  EXPECT_THAT(Parse({"--insecure-lab=yes"}),
              StatusIs(kBad, HasSubstr("true or false")));
  for (const char* duration : {"10", "-1s", "inf", "s", ""}) {
    EXPECT_THAT(Parse({absl::StrCat("--lease=", duration)}),
                StatusIs(kBad, HasSubstr("for example 250ms or 10s")));
  }
}

TEST_F(FlagsTest, FileSetsWhatFlagsDoNot) {
  ASSERT_OK(
      ParseFile("# all roles\n"
                "insecure_lab: true\n"
                "seed: 7\n"
                "lease: 3s\n"
                "gateway:\n"
                "  port_of_the_gateway: 1\n"
                "router:\n"
                "  seed: 8\n"
                "  replicas: 4\n",
                {"--replicas=5"}));
  EXPECT_TRUE(lab_);
  EXPECT_EQ(seed_, 8U);  // the section over what is for all
  EXPECT_EQ(lease_, absl::Seconds(3));
  EXPECT_EQ(replicas_, 5);  // the flag over the file
}

TEST_F(FlagsTest, EmptyFilesAndSectionsAreFine) {
  EXPECT_OK(ParseFile(""));
  EXPECT_OK(ParseFile("# nothing\n"));
  EXPECT_OK(ParseFile("router:\nexpert-node:\n"));
}

TEST_F(FlagsTest, SaysWhatIsWrongWithAFile) {
  const auto wrong = [&](const std::string& yaml, const std::string& message) {
    EXPECT_THAT(ParseFile(yaml),
                StatusIs(kBad, AllOf(StartsWith(folder_.Path("mesh.yaml")),
                                     EndsWith(message))))
        << yaml;
  };
  wrong("seed: 1\nnmae: x\n",
        absl::StrCat("line 2: nmae: no such key; keys are the flags, with "
                     "underscores",
                     kAskHelp));
  wrong("insecure-lab: true\n", kAskHelp);
  wrong("config: x\n", kAskHelp);
  wrong("seed: 1\nseed: 2\n", "line 2: seed: stands here twice");
  wrong("router:\n  seed: 1\n  seed: 2\n", "line 3: seed: stands here twice");
  wrong("gateway:\n  a: 1\n  a: 2\n", "line 3: a: stands here twice");
  wrong("roter:\n  seed: 1\n",
        "line 1: roter: no such section; expected gateway, router, "
        "attention-node or expert-node");
  wrong("seed: [1, 2]\n", "line 1: seed: expected one value");
  wrong("router:\n  seed: {a: 1}\n", "line 2: seed: expected one value");
  wrong("seed:\n", "line 1: seed: expected one value");
  wrong("replicas: many\n",
        "line 1: replicas: 'many', expected a whole number from 1 to 32");
  wrong("just text\n", "line 1: expected lines of key: value");
  wrong("[1]: 2\n", "line 1: expected a key");
  wrong("a: 1\n---\nb: 2\n", "a second document, expected one");
}

TEST_F(FlagsTest, BrokenYamlIsAnErrorWithItsLine) {
  EXPECT_THAT(ParseFile("seed: 1\n  x: : ]\n"),
              StatusIs(kBad, HasSubstr("mesh.yaml: line 2: ")));
  EXPECT_THAT(ParseFile(std::string(20000, '[')), StatusIs(kBad));
  EXPECT_THAT(ParseFile("a: *nobody\n"), StatusIs(kBad));
  EXPECT_THAT(ParseFile(std::string("a: \0\xff\xfe", 6)), StatusIs(kBad));
}

TEST_F(FlagsTest, MissingFilesAreNamed) {
  EXPECT_THAT(
      Parse({"--config", "/nowhere/mesh.yaml"}),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nowhere/mesh.yaml")));
}

TEST_F(FlagsTest, HelpListsEveryFlagWithItsDefault) {
  ListenOptions listen;
  Flags flags("gateway", "gateway", "takes requests");
  AddListenFlags(flags, &listen);
  bool cached = true;
  flags.Add("cached", &cached, "a switch that is on");
  char* arguments[] = {const_cast<char*>("gateway"),
                       const_cast<char*>("--help")};
  ::testing::internal::CaptureStdout();
  EXPECT_THAT(flags.Parse(2, arguments).value(), false);
  const std::string help = ::testing::internal::GetCapturedStdout();
  EXPECT_THAT(help, StartsWith("gateway: takes requests\n"));
  EXPECT_THAT(help, HasSubstr("  --listen TEXT\n"));
  EXPECT_THAT(help, HasSubstr("(default: 127.0.0.1:0)\n"));
  EXPECT_THAT(help, HasSubstr("  --cached\n"
                              "      a switch that is on (default: true)\n"));
  for (const char* flag :
       {"--config", "--advertise", "--metrics-listen", "--tls-ca", "--tls-cert",
        "--tls-key", "--insecure-lab", "--version"}) {
    EXPECT_THAT(help, HasSubstr(flag));
  }
}

TEST_F(FlagsTest, VersionIsTheProjects) {
  ::testing::internal::CaptureStdout();
  EXPECT_THAT(Parse({"--version"}).value(), false);
  EXPECT_THAT(::testing::internal::GetCapturedStdout(),
              ::testing::MatchesRegex("router [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

}  // namespace
}  // namespace mesh::service
