// SPDX-License-Identifier: Apache-2.0
#include "cli/conversation.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/json.h"
#include "core/status_macros.h"

namespace mesh::cli {
namespace {

Json MessageJson(absl::string_view role, const std::string& content) {
  Json message;
  message["role"] = std::string(role);
  message["content"] = content;
  return message;
}

// The string `key` of a message; empty if it is absent and may be.
absl::StatusOr<std::string> Field(const Json& message, absl::string_view key,
                                  bool is_required) {
  const auto found = message.find(std::string(key));
  if (found == message.end() && !is_required) return "";
  if (found == message.end() || !found->is_string()) {
    return absl::InvalidArgumentError(
        absl::StrCat(".", key, ": expected a string"));
  }
  return found->get<std::string>();
}

// Adds message `index` of a conversation.
absl::Status AddMessage(const Json& message, size_t index, std::string* system,
                        std::vector<Turn>* turns, bool* awaits_answer) {
  if (!message.is_object()) {
    return absl::InvalidArgumentError(": expected an object");
  }
  ASSIGN_OR_RETURN(const std::string role, Field(message, "role", true));
  ASSIGN_OR_RETURN(std::string content, Field(message, "content", true));
  ASSIGN_OR_RETURN(std::string reasoning,
                   Field(message, "reasoning_content", false));
  if (role == "system" && index == 0) {
    *system = std::move(content);
    return absl::OkStatus();
  }
  const absl::string_view expected = *awaits_answer ? "assistant" : "user";
  if (role != expected) {
    return absl::InvalidArgumentError(
        absl::StrCat(".role: expected '", expected, "'"));
  }
  if (*awaits_answer) {
    turns->back().answer = std::move(content);
    turns->back().reasoning = std::move(reasoning);
  } else {
    turns->push_back({std::move(content), ""});
  }
  *awaits_answer = !*awaits_answer;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Conversation> Conversation::FromJson(absl::string_view text,
                                                    absl::string_view name) {
  ASSIGN_OR_RETURN(const Json root, ParseJson(text, name));
  const auto messages = root.is_object() ? root.find("messages") : root.end();
  if (messages == root.end() || !messages->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": messages: expected an array, as /save writes it"));
  }
  Conversation conversation;
  bool awaits_answer = false;
  for (size_t i = 0; i < messages->size(); ++i) {
    const absl::Status added =
        AddMessage((*messages)[i], i, &conversation.system_,
                   &conversation.turns_, &awaits_answer);
    if (!added.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": messages[", i, "]", added.message()));
    }
  }
  if (awaits_answer) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": messages: expected an answer at the end"));
  }
  return conversation;
}

std::string Conversation::ToJson() const {
  Json messages = Json::array();
  if (!system_.empty()) messages.push_back(MessageJson("system", system_));
  for (const Turn& turn : turns_) {
    messages.push_back(MessageJson("user", turn.question));
    Json answer = MessageJson("assistant", turn.answer);
    if (!turn.reasoning.empty()) answer["reasoning_content"] = turn.reasoning;
    messages.push_back(std::move(answer));
  }
  Json root;
  root["messages"] = std::move(messages);
  return root.dump(2) + "\n";
}

std::vector<gateway::ChatMessage> Conversation::Ask(
    size_t num_turns, const std::string& question) const {
  std::vector<gateway::ChatMessage> messages;
  if (!system_.empty()) {
    messages.push_back({gateway::Role::kSystem, system_, ""});
  }
  for (size_t i = 0; i < num_turns; ++i) {
    messages.push_back({gateway::Role::kUser, turns_[i].question, ""});
    messages.push_back(
        {gateway::Role::kAssistant, turns_[i].answer, turns_[i].reasoning});
  }
  messages.push_back({gateway::Role::kUser, question, ""});
  return messages;
}

}  // namespace mesh::cli
