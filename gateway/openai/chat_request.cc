// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/chat_request.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

// One part of a content that is an array: {"type": "text", "text": ...}.
absl::Status AppendPart(const Json& value, const std::string& path,
                        std::string* content) {
  ASSIGN_OR_RETURN(const RequestFields part, RequestFields::From(value, path));
  ASSIGN_OR_RETURN(const Json* type, part.Require("type"));
  if (!type->is_string()) return part.WrongType("type", "a string");
  const auto& name = type->get_ref<const std::string&>();
  if (name != "text") {
    return InvalidField(
        part.PathOf("type"), "unsupported_content",
        absl::StrCat(part.PathOf("type"), " is ", QuotedText(name),
                     ", expected 'text': the model reads "
                     "nothing else"));
  }
  ASSIGN_OR_RETURN(const Json* text, part.Require("text"));
  if (!text->is_string()) return part.WrongType("text", "a string");
  *content += text->get_ref<const std::string&>();
  return absl::OkStatus();
}

absl::Status ReadContent(const RequestFields& message, bool may_be_absent,
                         std::string* content) {
  constexpr absl::string_view kKey = "content";
  const Json* found = message.Find(kKey);
  if (found == nullptr && may_be_absent) return absl::OkStatus();
  RETURN_IF_ERROR(message.Require(kKey).status());
  if (found->is_string()) {
    *content = found->get_ref<const std::string&>();
    return absl::OkStatus();
  }
  if (!found->is_array()) {
    return message.WrongType(kKey, "a string or an array of parts");
  }
  if (found->size() > kMaxContentParts) {
    return message.WrongValue(
        kKey, absl::StrCat("an array of ", found->size(), " parts"),
        absl::StrCat("at most ", kMaxContentParts));
  }
  for (size_t i = 0; i < found->size(); ++i) {
    RETURN_IF_ERROR(AppendPart(
        (*found)[i], absl::StrCat(message.PathOf(kKey), "[", i, "]"), content));
  }
  return absl::OkStatus();
}

absl::Status ReadRole(const RequestFields& message, std::string* role) {
  constexpr absl::string_view kKey = "role";
  ASSIGN_OR_RETURN(const Json* found, message.Require(kKey));
  if (!found->is_string()) return message.WrongType(kKey, "a string");
  *role = found->get_ref<const std::string&>();
  if (*role == "developer") *role = "system";
  if (*role == "system" || *role == "user" || *role == "assistant") {
    return absl::OkStatus();
  }
  if (*role == "tool" || *role == "function") {
    return message.Unsupported(kKey, "the model calls no tools");
  }
  return message.WrongValue(kKey, QuotedText(*role),
                            "'system', 'developer', 'user' or 'assistant'");
}

absl::StatusOr<MessageInput> ReadMessage(const Json& value,
                                         const std::string& path) {
  ASSIGN_OR_RETURN(const RequestFields fields,
                   RequestFields::From(value, path));
  MessageInput message;
  RETURN_IF_ERROR(ReadRole(fields, &message.role));
  const Json* calls = fields.Find("tool_calls");
  if (calls != nullptr && !(calls->is_array() && calls->empty())) {
    return fields.Unsupported("tool_calls", "the model calls no tools");
  }
  bool prefix = false;
  RETURN_IF_ERROR(fields.ReadBool("prefix", &prefix));
  if (prefix) {
    return fields.Unsupported("prefix", "an answer has a turn of its own");
  }
  RETURN_IF_ERROR(fields.ReadText("reasoning_content", &message.reasoning));
  // An assistant's turn may hold its thoughts only.
  RETURN_IF_ERROR(
      ReadContent(fields, !message.reasoning.empty(), &message.content));
  return message;
}

// Keys besides the two switches would reach into the template.
absl::Status ReadTemplateKwargs(const RequestFields& fields,
                                std::optional<bool>* thinking) {
  constexpr absl::string_view kKey = "chat_template_kwargs";
  const Json* found = fields.Find(kKey);
  if (found == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const RequestFields kwargs,
                   RequestFields::From(*found, fields.PathOf(kKey)));
  for (const auto& [key, value] : found->items()) {
    if (key == "thinking" || key == "enable_thinking") continue;
    return fields.Unsupported(
        kKey, absl::StrCat("of its keys only thinking and enable_thinking are, "
                           "not ",
                           QuotedText(key)));
  }
  RETURN_IF_ERROR(kwargs.ReadBool("enable_thinking", thinking));
  return kwargs.ReadBool("thinking", thinking);
}

absl::Status ReadThinkingType(const RequestFields& fields,
                              std::optional<bool>* thinking) {
  const Json* found = fields.Find("thinking");
  if (found == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const RequestFields object,
                   RequestFields::From(*found, fields.PathOf("thinking")));
  ASSIGN_OR_RETURN(const Json* type, object.Require("type"));
  if (!type->is_string()) return object.WrongType("type", "a string");
  const auto& name = type->get_ref<const std::string&>();
  if (name != "enabled" && name != "disabled") {
    return object.WrongValue("type", QuotedText(name),
                             "'enabled' or 'disabled'");
  }
  *thinking = name == "enabled";
  return absl::OkStatus();
}

absl::Status ReadEffort(const RequestFields& fields,
                        std::optional<bool>* thinking) {
  constexpr absl::string_view kKey = "reasoning_effort";
  if (fields.Find(kKey) == nullptr) return absl::OkStatus();
  std::string effort;
  RETURN_IF_ERROR(fields.ReadText(kKey, &effort));
  for (const absl::string_view off : {"none", "minimal"}) {
    if (effort == off) *thinking = false;
  }
  for (const absl::string_view on : {"low", "medium", "high", "xhigh", "max"}) {
    if (effort == on) *thinking = true;
  }
  if (thinking->has_value()) return absl::OkStatus();
  return fields.WrongValue(
      kKey, QuotedText(effort),
      "'none', 'minimal', 'low', 'medium', 'high', 'xhigh' or 'max'");
}

absl::Status ReadReasoningFormat(const RequestFields& fields,
                                 ReasoningFormat* format) {
  constexpr absl::string_view kKey = "reasoning_format";
  if (fields.Find(kKey) == nullptr) return absl::OkStatus();
  std::string name;
  RETURN_IF_ERROR(fields.ReadText(kKey, &name));
  if (name == "separate") {
    *format = ReasoningFormat::kSeparate;
  } else if (name == "inline") {
    *format = ReasoningFormat::kInline;
  } else if (name == "hidden") {
    *format = ReasoningFormat::kHidden;
  } else {
    return fields.WrongValue(kKey, QuotedText(name),
                             "'separate', 'inline' or 'hidden'");
  }
  return absl::OkStatus();
}

absl::Status ReadMaxTokens(const RequestFields& fields, uint32_t* max_tokens) {
  std::optional<int64_t> value;
  RETURN_IF_ERROR(fields.Read(kMaxTokensField, &value));
  RETURN_IF_ERROR(fields.Read(kMaxCompletionTokensField, &value));
  *max_tokens = static_cast<uint32_t>(value.value_or(0));
  return absl::OkStatus();
}

absl::Status ReadLogprobs(const RequestFields& fields,
                          std::optional<uint32_t>* logprobs) {
  bool wanted = false;
  std::optional<int64_t> top;
  RETURN_IF_ERROR(fields.ReadBool("logprobs", &wanted));
  RETURN_IF_ERROR(fields.Read(kTopLogprobsField, &top));
  if (wanted) {
    *logprobs = static_cast<uint32_t>(top.value_or(0));
  } else if (top.value_or(0) > 0) {
    return fields.WrongValue(kTopLogprobsField.name, absl::StrCat(*top),
                             "it only with logprobs: true");
  }
  return absl::OkStatus();
}

// Only text can be asked for.
absl::Status CheckModalities(const RequestFields& fields) {
  const Json* found = fields.Find("modalities");
  if (found == nullptr || *found == Json::array({"text"})) {
    return absl::OkStatus();
  }
  return fields.Unsupported("modalities", "answers are text");
}

}  // namespace

absl::StatusOr<Messages> ReadMessages(const RequestFields& fields) {
  constexpr absl::string_view kKey = "messages";
  ASSIGN_OR_RETURN(const Json* found, fields.Require(kKey));
  if (!found->is_array()) return fields.WrongType(kKey, "an array");
  if (found->empty() || found->size() > kMaxChatMessages) {
    return fields.WrongValue(
        kKey, absl::StrCat("an array of ", found->size(), " messages"),
        absl::StrCat("1 to ", kMaxChatMessages));
  }
  Messages messages;
  messages.reserve(found->size());
  for (size_t i = 0; i < found->size(); ++i) {
    ASSIGN_OR_RETURN(MessageInput message,
                     ReadMessage((*found)[i], absl::StrCat(fields.PathOf(kKey),
                                                           "[", i, "]")));
    messages.push_back(std::move(message));
  }
  return messages;
}

absl::Status ReadThinking(const RequestFields& fields,
                          std::optional<bool>* thinking) {
  std::optional<bool> type;
  std::optional<bool> kwargs;
  std::optional<bool> enable;
  std::optional<bool> effort;
  RETURN_IF_ERROR(ReadThinkingType(fields, &type));
  RETURN_IF_ERROR(ReadTemplateKwargs(fields, &kwargs));
  RETURN_IF_ERROR(fields.ReadBool("enable_thinking", &enable));
  RETURN_IF_ERROR(ReadEffort(fields, &effort));
  for (const std::optional<bool>& said : {type, kwargs, enable, effort}) {
    if (!said.has_value()) continue;
    *thinking = said;
    break;
  }
  return absl::OkStatus();
}

absl::StatusOr<ChatRequest> ParseChatRequest(absl::string_view body) {
  ASSIGN_OR_RETURN(const Json json, RequestFields::ParseBody(body));
  ASSIGN_OR_RETURN(const RequestFields fields, RequestFields::From(json, ""));
  ChatRequest request;
  RETURN_IF_ERROR(ReadCommon(fields, &request.input));
  ASSIGN_OR_RETURN(request.input.prompt, ReadMessages(fields));
  RETURN_IF_ERROR(RefuseUnsupported(fields));
  RETURN_IF_ERROR(CheckModalities(fields));
  RETURN_IF_ERROR(ReadMaxTokens(fields, &request.input.max_tokens));
  RETURN_IF_ERROR(ReadLogprobs(fields, &request.input.logprobs));
  RETURN_IF_ERROR(ReadN(fields, &request.n));
  RETURN_IF_ERROR(ReadStreamChoices(fields, &request.stream));
  RETURN_IF_ERROR(ReadThinking(fields, &request.input.thinking));
  RETURN_IF_ERROR(ReadReasoningFormat(fields, &request.reasoning_format));
  return request;
}

}  // namespace mesh::gateway
