// SPDX-License-Identifier: Apache-2.0
#include "cli/diagnosis.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/mesh_state_maker.h"

namespace mesh::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// All of a mesh in which nothing is wrong.
Facts Sound() {
  Facts facts;
  facts.now = absl::FromUnixSeconds(1'800'000'000);
  facts.mesh = MakeMesh();
  facts.placement.epoch = facts.mesh.active_epoch;
  facts.placement.experts["expert-0"] = {{1, 0}, {1, 1}};
  facts.placement.experts["expert-1"] = {{1, 1}};
  facts.expert_nodes["expert-0"].digests = {{{1, 0}, "a"}, {{1, 1}, "b"}};
  facts.expert_nodes["expert-1"].digests = {{{1, 0}, "a"}, {{1, 1}, "b"}};
  facts.attention_nodes["attention-0"].probes = {
      {"expert-0", "tcp/lo", 30, 90, 2e9, ""},
      {"expert-1", "tcp/lo", 31, 95, 2e9, ""}};
  facts.gateway = ServedModel{"tiny", facts.mesh.model_digest, "bf16-1"};
  facts.certificates.push_back(
      CertificateView{"node.pem", facts.now - absl::Hours(1),
                      facts.now + absl::Hours(24 * 300)});
  facts.max_descriptors = 1 << 20;
  facts.available_memory_bytes = uint64_t{4} << 30;
  return facts;
}

std::vector<std::string> Wrong(const Facts& facts) {
  std::vector<std::string> wrong;
  for (const Finding& finding : Diagnose(facts)) {
    wrong.push_back(finding.wrong);
    EXPECT_FALSE(finding.remedy.empty()) << finding.wrong;
  }
  return wrong;
}

TEST(Diagnose, NothingInASoundMesh) { EXPECT_THAT(Wrong(Sound()), IsEmpty()); }

TEST(Diagnose, RolesThatAreMissing) {
  Facts facts = Sound();
  facts.mesh.nodes.resize(1);
  EXPECT_THAT(Wrong(facts), ElementsAre("no attention-node has joined",
                                        "no expert-node has joined"));
}

TEST(Diagnose, NoPlacement) {
  Facts facts = Sound();
  facts.mesh.active_epoch = 0;
  facts.mesh.nodes[1].adopted_epoch = 0;
  facts.mesh.activity = "waiting for room for 12 experts";
  const auto findings = Diagnose(facts);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].wrong, HasSubstr("no placement is active"));
  EXPECT_THAT(findings[0].remedy, HasSubstr("room for 12 experts"));
}

TEST(Diagnose, NodesThatAreNotWell) {
  Facts facts = Sound();
  facts.mesh.nodes[0].heartbeat_age_seconds = 3.5;
  facts.mesh.nodes[1].adopted_epoch = (uint64_t{1} << 32) | 1;
  facts.mesh.nodes[2].health = NodeHealth::kLoading;
  facts.mesh.nodes[2].activity = "loading experts 1/9";
  facts.mesh.nodes[3].version = "0.0.9";
  facts.mesh.nodes.push_back(
      MakeNode("expert-2", "expert-node", NodeHealth::kGone));
  EXPECT_THAT(Wrong(facts),
              ElementsAre("gateway-0 was last heard of 3.5 s ago",
                          "attention-0 uses placement 1.1, active is 1.2",
                          "expert-0 is not ready: loading experts 1/9",
                          "expert-1 runs version 0.0.9, the router 0.1.0",
                          "expert-2 is gone"));
}

TEST(Diagnose, NodesThatDoNotAnswer) {
  Facts facts = Sound();
  facts.expert_nodes["expert-1"] = {absl::UnavailableError("nothing there"),
                                    {}};
  facts.attention_nodes["attention-0"] = {absl::DeadlineExceededError("late"),
                                          {}};
  EXPECT_THAT(Wrong(facts),
              ElementsAre("expert-1 does not answer: nothing there",
                          "attention-0 does not answer: late"));
}

TEST(Diagnose, HoldingsThatAreNotAsPlaced) {
  Facts facts = Sound();
  facts.expert_nodes["expert-0"].digests.clear();
  EXPECT_THAT(Wrong(facts),
              ElementsAre("expert-0 lacks 2 of the experts that the placement "
                          "gives it, such as expert 0 of layer 1"));
}

TEST(Diagnose, ReplicasThatDiffer) {
  Facts facts = Sound();
  facts.expert_nodes["expert-1"].digests[{1, 1}] = "c";
  EXPECT_THAT(Wrong(facts),
              ElementsAre("expert-1 and expert-0 hold different weights of "
                          "expert 1 of layer 1"));
}

TEST(Diagnose, LinksThatAreBrokenOrSlow) {
  Facts facts = Sound();
  auto& probes = facts.attention_nodes["attention-0"].probes;
  probes[0].error = "no route";
  probes[1].median_us = 80'000;
  EXPECT_THAT(
      Wrong(facts),
      ElementsAre(
          "the link from attention-0 to expert-0 is broken: no route",
          "the link from attention-0 to expert-1 is slow: 80.0 ms a round "
          "trip"));
}

TEST(Diagnose, AGatewayOfAnotherMesh) {
  Facts facts = Sound();
  facts.gateway = ServedModel{"tiny", "ffff", "bf16-2"};
  EXPECT_THAT(Wrong(facts),
              ElementsAre("the gateway serves another model than the nodes "
                          "compute",
                          "the gateway counts on numerics bf16-2, the nodes "
                          "compute bf16-1"));
  facts.gateway = absl::UnavailableError("nothing answers");
  EXPECT_THAT(Wrong(facts), ElementsAre("nothing answers"));
}

TEST(Diagnose, CertificatesThatRunOut) {
  Facts facts = Sound();
  const absl::Time now = facts.now;
  facts.certificates = {
      CertificateView{"a", now - absl::Hours(48), now - absl::Hours(24)},
      CertificateView{"b", now - absl::Hours(48), now + absl::Hours(24)},
      CertificateView{"c", now + absl::Hours(1), now + absl::Hours(9999)},
      absl::NotFoundError("d: no such file")};
  EXPECT_THAT(Wrong(facts),
              ElementsAre("a ran out on 2027-01-14", "b runs out on 2027-01-16",
                          "c is not valid yet", "d: no such file"));
}

TEST(Diagnose, AMachineWithoutRoom) {
  Facts facts = Sound();
  facts.max_descriptors = 256;
  facts.available_memory_bytes = 5 << 20;
  EXPECT_THAT(Wrong(facts),
              ElementsAre("a process here may open 256 descriptors only",
                          "this machine has 5.0 MiB of memory left"));
}

TEST(FactsText, ShowsNodesAndLinks) {
  Facts facts = Sound();
  facts.expert_nodes["expert-1"].outcome = absl::UnavailableError("x");
  const std::string text = FactsText(facts);
  EXPECT_THAT(text, HasSubstr("model 00112233445566778899aabbccddeeff"));
  EXPECT_THAT(text, testing::ContainsRegex("expert-0 .* yes .* 2"));
  EXPECT_THAT(text, testing::ContainsRegex("expert-1 .* no "));
  EXPECT_THAT(text,
              testing::ContainsRegex(
                  "attention-0  expert-0  tcp/lo +30 us +90 us +1.9 GiB"));
}

}  // namespace
}  // namespace mesh::cli
