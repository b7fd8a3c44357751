// SPDX-License-Identifier: Apache-2.0
// A gateway that says what it was asked, for tests of the chat:
//
//   scripted_gateway
//
// Prints its address on a line and runs until standard input ends. The last
// message chooses the answer: "think" one with thoughts, "forever" one that
// only a cancellation ends, "brood" thoughts like that, "fail" a beginning and
// an error, "long" one that is cut off, "evil" escape codes, and anything else
// how many messages, which system message and which temperature it came with.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "mesh/gateway/v1/inference_service.grpc.pb.h"
#include "tests/cli/test_server.h"

namespace mesh::cli {
namespace {

namespace v1 = gateway::v1;

// What is sent, and how it ends; without an outcome by cancellation.
struct Script {
  std::vector<v1::GenerateResponse> events;
  bool finishes = true;
  grpc::Status outcome = {};

  void Say(const std::string& reasoning, const std::string& text) {
    v1::Delta& delta = *events.emplace_back().mutable_delta();
    delta.set_reasoning_text(reasoning);
    delta.set_text(text);
    delta.add_tokens()->set_index(static_cast<uint32_t>(events.size()));
  }
  void Complete(v1::FinishReason reason) {
    const auto num_tokens = static_cast<uint32_t>(events.size());
    v1::Completed& completed = *events.emplace_back().mutable_completed();
    completed.set_finish_reason(reason);
    completed.mutable_usage()->set_completion_tokens(num_tokens);
  }
};

std::string Description(const v1::GenerateRequest& request) {
  const auto& messages = request.messages().messages();
  const bool has_system = messages[0].role() == "system";
  return absl::StrCat("'", messages[messages.size() - 1].content(),
                      "' is message ", messages.size(), ", system ",
                      has_system ? messages[0].content() : "none",
                      ", temperature ",
                      request.sampling().has_temperature()
                          ? absl::StrCat(request.sampling().temperature())
                          : "none");
}

Script ScriptFor(const v1::GenerateRequest& request) {
  const auto& messages = request.messages().messages();
  const std::string& asked = messages[messages.size() - 1].content();
  Script script;
  if (asked == "think" || asked == "brood") {
    script.Say("so ", "");
    script.Say("it is", "");
  }
  if (asked == "think") script.Say("", "Thought.");
  if (asked == "forever" || asked == "fail") script.Say("", "Begun");
  if (asked == "evil") script.Say("\033[31mred", "\033[2J\tx\xc2\x9b");
  if (asked == "fail") {
    script.outcome = grpc::Status(grpc::StatusCode::UNAVAILABLE, "it broke");
    return script;
  }
  script.finishes = asked != "forever" && asked != "brood";
  if (!script.finishes) return script;
  if (script.events.empty()) script.Say("", Description(request));
  script.Complete(asked == "long" ? v1::FINISH_REASON_LENGTH
                                  : v1::FINISH_REASON_STOP);
  return script;
}

class Answer final : public grpc::ServerWriteReactor<v1::GenerateResponse> {
 public:
  explicit Answer(Script script) : script_(std::move(script)) { Next(); }
  void OnWriteDone(bool) override { Next(); }
  void OnCancel() override {
    if (!script_.finishes) Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    if (next_ < script_.events.size()) {
      StartWrite(&script_.events[next_++]);
    } else if (script_.finishes) {
      Finish(script_.outcome);
    }
  }

  const Script script_;
  size_t next_ = 0;
};

class ScriptedGateway final : public v1::InferenceService::CallbackService {
 public:
  grpc::ServerWriteReactor<v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext*,
      const v1::GenerateRequest* request) override {
    return new Answer(ScriptFor(*request));
  }

  grpc::ServerUnaryReactor* ListModels(
      grpc::CallbackServerContext* context, const v1::ListModelsRequest*,
      v1::ListModelsResponse* response) override {
    response->add_models()->set_name("parrot");
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace
}  // namespace mesh::cli

int main() {
  mesh::cli::ScriptedGateway service;
  const mesh::cli::TestServer server({&service});
  std::cout << server.Target().address << std::endl;
  while (std::getchar() != EOF) {
  }
  return 0;
}
