// SPDX-License-Identifier: Apache-2.0
#include "gateway/ollama/ollama_request.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"
#include "gateway/ollama/ollama_fields.h"
#include "gateway/ollama/ollama_options.h"
#include "gateway/openai/request_fields.h"

namespace mesh::gateway {
namespace {

// null, false, 0, "", [] and {} ask for nothing.
bool AsksForNothing(const Json* value) {
  return value == nullptr || *value == false || *value == 0 || *value == "" ||
         (value->is_structured() && value->empty());
}

absl::Status RefuseUnsupported(const RequestFields& fields) {
  for (const absl::string_view name : OllamaUnsupportedFields()) {
    if (AsksForNothing(fields.Find(name))) continue;
    return fields.Unsupported(name, "the model reads and writes plain text");
  }
  return absl::OkStatus();
}

// A boolean, or how hard to think, which means yes.
absl::Status ReadThink(const RequestFields& fields, OllamaRequest* request) {
  constexpr absl::string_view kKey = "think";
  const Json* found = fields.Find(kKey);
  if (found == nullptr) return absl::OkStatus();
  if (found->is_boolean()) {
    request->input.thinking = found->get<bool>();
  } else if (*found == "low" || *found == "medium" || *found == "high" ||
             *found == "max") {
    request->input.thinking = true;
  } else if (found->is_string()) {
    return fields.WrongValue(kKey,
                             QuotedText(found->get_ref<const std::string&>()),
                             "true, false, 'low', 'medium', 'high' or 'max'");
  } else {
    return fields.WrongType(kKey, "a boolean or a string");
  }
  request->hides_thinking = !*request->input.thinking;
  return absl::OkStatus();
}

absl::Status ReadLogprobs(const RequestFields& fields, GenerateInput* input) {
  bool wanted = false;
  std::optional<int64_t> top;
  RETURN_IF_ERROR(fields.ReadBool("logprobs", &wanted));
  RETURN_IF_ERROR(fields.Read(kTopLogprobsField, &top));
  if (wanted) {
    input->logprobs = static_cast<uint32_t>(top.value_or(0));
  } else if (top.value_or(0) > 0) {
    return fields.WrongValue(kTopLogprobsField.name, absl::StrCat(*top),
                             "it only with logprobs: true");
  }
  return absl::OkStatus();
}

// A duration as a number of seconds or a string; only 0 means something.
absl::Status ReadKeepAlive(const RequestFields& fields, bool* unloads) {
  constexpr absl::string_view kKey = "keep_alive";
  const Json* found = fields.Find(kKey);
  if (found == nullptr) return absl::OkStatus();
  if (!found->is_number() && !found->is_string()) {
    return fields.WrongType(kKey, "a number or a string");
  }
  *unloads = *found == 0 || *found == "0" || *found == "0s";
  return absl::OkStatus();
}

absl::Status ReadCommon(const RequestFields& fields, OllamaRequest* request) {
  RETURN_IF_ERROR(fields.Require(kModelField.name).status());
  RETURN_IF_ERROR(fields.Read(kModelField, &request->input.model));
  RETURN_IF_ERROR(RefuseUnsupported(fields));
  RETURN_IF_ERROR(fields.ReadBool("stream", &request->stream));
  RETURN_IF_ERROR(ReadThink(fields, request));
  RETURN_IF_ERROR(ReadLogprobs(fields, &request->input));
  RETURN_IF_ERROR(ReadKeepAlive(fields, &request->unloads));
  return ReadOllamaOptions(fields, &request->input);
}

absl::StatusOr<MessageInput> ReadMessage(const Json& value,
                                         const std::string& path) {
  ASSIGN_OR_RETURN(const RequestFields fields,
                   RequestFields::From(value, path));
  MessageInput message;
  ASSIGN_OR_RETURN(const Json* role, fields.Require("role"));
  if (!role->is_string()) return fields.WrongType("role", "a string");
  message.role = role->get<std::string>();
  if (message.role == "tool") {
    return fields.Unsupported("role", "the model calls no tools");
  }
  if (message.role != "system" && message.role != "user" &&
      message.role != "assistant") {
    return fields.WrongValue("role", QuotedText(message.role),
                             "'system', 'user' or 'assistant'");
  }
  if (!AsksForNothing(fields.Find("tool_calls"))) {
    return fields.Unsupported("tool_calls", "the model calls no tools");
  }
  if (!AsksForNothing(fields.Find("images"))) {
    return InvalidField(fields.PathOf("images"), "unsupported_content",
                        absl::StrCat(fields.PathOf("images"),
                                     ": the model reads nothing but text"));
  }
  RETURN_IF_ERROR(fields.ReadText("content", &message.content));
  RETURN_IF_ERROR(fields.ReadText("thinking", &message.reasoning));
  return message;
}

absl::StatusOr<Messages> ReadMessages(const RequestFields& fields) {
  constexpr absl::string_view kKey = "messages";
  Messages messages;
  const Json* found = fields.Find(kKey);
  if (found == nullptr) return messages;
  if (!found->is_array()) return fields.WrongType(kKey, "an array");
  if (found->size() > kMaxChatMessages) {
    return fields.WrongValue(
        kKey, absl::StrCat("an array of ", found->size(), " messages"),
        absl::StrCat("at most ", kMaxChatMessages));
  }
  messages.reserve(found->size());
  for (size_t i = 0; i < found->size(); ++i) {
    ASSIGN_OR_RETURN(MessageInput message,
                     ReadMessage((*found)[i], absl::StrCat(kKey, "[", i, "]")));
    messages.push_back(std::move(message));
  }
  return messages;
}

// Raw: as it is. Otherwise a conversation of one question.
absl::Status ReadPrompt(const RequestFields& fields, OllamaRequest* request) {
  std::string prompt;
  std::string system;
  bool raw = false;
  RETURN_IF_ERROR(fields.ReadText("prompt", &prompt));
  RETURN_IF_ERROR(fields.ReadText("system", &system));
  RETURN_IF_ERROR(fields.ReadBool("raw", &raw));
  if (raw && !system.empty()) {
    return fields.WrongValue("system", "there with raw",
                             "it only where the prompt gets a template");
  }
  request->only_loads = prompt.empty();
  if (raw) {
    request->input.prompt = std::move(prompt);
    return absl::OkStatus();
  }
  Messages messages;
  if (!system.empty()) messages.push_back({"system", std::move(system), ""});
  messages.push_back({"user", std::move(prompt), ""});
  request->input.prompt = std::move(messages);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OllamaRequest> ParseOllamaChat(absl::string_view body) {
  ASSIGN_OR_RETURN(const Json json, RequestFields::ParseBody(body));
  ASSIGN_OR_RETURN(const RequestFields fields, RequestFields::From(json, ""));
  OllamaRequest request;
  RETURN_IF_ERROR(ReadCommon(fields, &request));
  ASSIGN_OR_RETURN(Messages messages, ReadMessages(fields));
  request.only_loads = messages.empty();
  request.input.prompt = std::move(messages);
  return request;
}

absl::StatusOr<OllamaRequest> ParseOllamaGenerate(absl::string_view body) {
  ASSIGN_OR_RETURN(const Json json, RequestFields::ParseBody(body));
  ASSIGN_OR_RETURN(const RequestFields fields, RequestFields::From(json, ""));
  OllamaRequest request;
  request.route = OllamaRoute::kGenerate;
  RETURN_IF_ERROR(ReadCommon(fields, &request));
  RETURN_IF_ERROR(ReadPrompt(fields, &request));
  return request;
}

absl::StatusOr<std::string> ParseOllamaShow(absl::string_view body) {
  ASSIGN_OR_RETURN(const Json json, RequestFields::ParseBody(body));
  ASSIGN_OR_RETURN(const RequestFields fields, RequestFields::From(json, ""));
  std::string model;
  // The name that older clients have for it.
  RETURN_IF_ERROR(
      fields.Read(TextField{"name", kModelField.max_bytes}, &model));
  RETURN_IF_ERROR(fields.Read(kModelField, &model));
  if (model.empty()) return fields.Require(kModelField.name).status();
  return model;
}

}  // namespace mesh::gateway
