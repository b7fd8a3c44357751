// SPDX-License-Identifier: Apache-2.0
#include "gateway/openai/openai_handlers.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"
#include "gateway/api_error.h"
#include "gateway/openai/chat_answer.h"
#include "gateway/openai/chat_request.h"
#include "gateway/openai/completion_request.h"
#include "gateway/openai/error_response.h"
#include "gateway/openai/json_text.h"

namespace mesh::gateway {
namespace {

constexpr char kModelPattern[] = "/v1/models/*";
constexpr char kRequestIdHeader[] = "x-request-id";
constexpr char kTimeoutHeader[] = "x-request-timeout-ms";

std::string DrawName(absl::string_view prefix) {
  std::random_device device;
  return absl::StrFormat("%s%08x%08x%08x", prefix, device(), device(),
                         device());
}

HttpResponse JsonResponse(std::string body) {
  HttpResponse response;
  response.headers.emplace_back("Content-Type", "application/json");
  response.body = std::move(body);
  return response;
}

// What is left of the limits that there are, in OpenAI's headers.
void AppendRateLimit(absl::string_view what, const RateLimit& limit,
                     HttpHeaders* headers) {
  if (limit.limit == 0) return;
  const std::pair<const char*, std::string> values[] = {
      {"limit", absl::StrCat(limit.limit)},
      {"remaining", absl::StrCat(limit.remaining)},
      {"reset",
       absl::StrCat(absl::ToInt64Milliseconds(limit.until_full), "ms")}};
  for (const auto& [name, value] : values) {
    headers->emplace_back(absl::StrCat("x-ratelimit-", name, "-", what), value);
  }
}

void AppendRateLimits(const RateLimits& limits, HttpHeaders* headers) {
  AppendRateLimit("requests", limits.requests, headers);
  AppendRateLimit("tokens", limits.tokens, headers);
}

// The client's name for the request if it can be one, or a new one.
std::string RequestIdOf(const HttpRequest& request) {
  const absl::string_view given = FindHeader(request.headers, kRequestIdHeader);
  if (!given.empty() && CheckRequestId(given).ok()) return std::string(given);
  return DrawName("req-");
}

// `longest` at most and if nothing else is said.
absl::StatusOr<absl::Time> DeadlineOf(const HttpRequest& request,
                                      absl::Time now, absl::Duration longest) {
  const absl::string_view given = FindHeader(request.headers, kTimeoutHeader);
  if (given.empty()) return now + longest;
  int64_t ms = 0;
  if (!absl::SimpleAtoi(given, &ms)) {
    return InvalidField(kTimeoutHeader, "invalid_value",
                        absl::StrCat("the header ", kTimeoutHeader,
                                     " is not a number of milliseconds"));
  }
  if (ms <= 0) {
    return absl::DeadlineExceededError(
        "the deadline of the request had passed when it came");
  }
  return now + std::min(absl::Milliseconds(ms), longest);
}

// `base` as it is for one choice; one name for each of several.
std::string NameOfChoice(const std::string& base, int choice, int num_choices) {
  return num_choices == 1 ? base : absl::StrCat(base, "-", choice);
}

// One of several choices: a name and a seed of its own.
GenerateInput InputOfChoice(const GenerateInput& input, const std::string& name,
                            int choice, int num_choices) {
  GenerateInput result = input;
  result.request_id = NameOfChoice(name, choice, num_choices);
  if (result.sampling.seed.has_value()) {
    *result.sampling.seed += static_cast<uint64_t>(choice);
  }
  return result;
}

}  // namespace

OpenAiHandlers::OpenAiHandlers(const GenerationContext& context,
                               Options options)
    : context_(context),
      options_(std::move(options)),
      answers_(context_, options_.catalog, options_.started) {}

void OpenAiHandlers::AddRoutes(HttpRoutes& routes) {
  for (const char* path : {"/v1/chat/completions", "/chat/completions"}) {
    routes.AddJson(path, Generating(&OpenAiHandlers::StartChat));
  }
  routes.AddJson("/v1/completions",
                 Generating(&OpenAiHandlers::StartCompletion));
  for (const char* path : {"/v1/models", "/models"}) {
    routes.Add("GET", path, AtOnce([this](const auto&, const Tenant& tenant) {
                 return answers_.ListModels(tenant);
               }));
  }
  routes.Add("GET", kModelPattern,
             AtOnce([this](const HttpRequest& request, const Tenant& tenant) {
               return answers_.GetModel(
                   HttpRoutes::Rest(kModelPattern, request.path), tenant);
             }));
  for (const char* prefix : {"", "/v1"}) {
    routes.AddJson(
        absl::StrCat(prefix, "/tokenize"),
        AtOnce([this](const HttpRequest& request, const Tenant& tenant) {
          return answers_.Tokenize(request.body, tenant);
        }));
    routes.AddJson(
        absl::StrCat(prefix, "/detokenize"),
        AtOnce([this](const HttpRequest& request, const Tenant& tenant) {
          return answers_.Detokenize(request.body, tenant);
        }));
  }
  AddProbes(routes);
}

// They need no key.
void OpenAiHandlers::AddProbes(HttpRoutes& routes) {
  routes.Add("GET", "/version", [this](const HttpRequest&, const Send& send) {
    std::string body = R"({"version":)";
    AppendJsonString(options_.version, &body);
    send->Respond(JsonResponse(body + "}"));
  });
  const auto is_alive = [](const HttpRequest&, const Send& send) {
    send->Respond({.status = 200, .headers = {}, .body = ""});
  };
  for (const char* path : {"/health", "/healthz", "/health/live"}) {
    routes.Add("GET", path, is_alive);
  }
  const auto is_ready = [this](const HttpRequest&, const Send& send) {
    send->Respond({.status = IsReady() ? 200 : 503, .headers = {}, .body = ""});
  };
  for (const char* path : {"/readyz", "/health/ready"}) {
    routes.Add("GET", path, is_ready);
  }
}

bool OpenAiHandlers::IsReady() const {
  if (options_.is_ready) return options_.is_ready();
  return context_.streams.GetCounts().nodes > 0;
}

absl::StatusOr<OpenAiHandlers::Caller> OpenAiHandlers::MeetCaller(
    const HttpRequest& request) const {
  Caller caller;
  if (options_.authenticate) {
    ASSIGN_OR_RETURN(caller.tenant, options_.authenticate(request));
  } else {
    caller.tenant = AnonymousTenant();
  }
  ASSIGN_OR_RETURN(caller.deadline, DeadlineOf(request, context_.clock.Now(),
                                               context_.default_deadline));
  return caller;
}

HttpRoutes::Function OpenAiHandlers::AtOnce(Answer answer) const {
  return [this, answer = std::move(answer)](const HttpRequest& request,
                                            const Send& send) {
    const absl::StatusOr<Caller> caller = MeetCaller(request);
    const absl::StatusOr<std::string> body =
        caller.ok() ? answer(request, *caller->tenant) : caller.status();
    HttpResponse response =
        body.ok() ? JsonResponse(*body) : ErrorResponse(body.status());
    response.headers.emplace_back(kRequestIdHeader, RequestIdOf(request));
    send->Respond(std::move(response));
  };
}

HttpRoutes::Function OpenAiHandlers::Generating(absl::Status (
    OpenAiHandlers::*start)(const HttpRequest&, const Caller&, const Send&)) {
  return [this, start](const HttpRequest& request, const Send& send) {
    const HttpHeaders headers = {{kRequestIdHeader, RequestIdOf(request)}};
    absl::StatusOr<Caller> caller = MeetCaller(request);
    absl::Status status = caller.status();
    if (caller.ok()) {
      caller->headers = headers;
      AppendRateLimits(context_.admission.LimitsOf(*caller->tenant),
                       &caller->headers);
      status = (this->*start)(request, *caller, send);
    }
    if (status.ok()) return;
    HttpResponse response = ErrorResponse(status);
    response.headers.insert(response.headers.end(), headers.begin(),
                            headers.end());
    send->Respond(std::move(response));
  };
}

absl::StatusOr<ModelCatalog::Entry> OpenAiHandlers::Resolve(
    const Tenant& tenant, GenerateInput* input) const {
  ASSIGN_OR_RETURN(ModelCatalog::Entry entry,
                   options_.catalog.Find(input->model, tenant));
  input->model = entry.model;
  if (!input->thinking.has_value()) input->thinking = entry.thinking;
  return entry;
}

Exchange::Options OpenAiHandlers::ExchangeOptionsOf(
    const Caller& caller, const StreamChoices& stream) const {
  return {.generation = {.api = "openai",
                         .tenant = caller.tenant,
                         .deadline = caller.deadline},
          .stream = stream.stream,
          .headers = caller.headers};
}

absl::Status OpenAiHandlers::StartChat(const HttpRequest& request,
                                       const Caller& caller, const Send& send) {
  ASSIGN_OR_RETURN(ChatRequest chat, ParseChatRequest(request.body));
  ASSIGN_OR_RETURN(const ModelCatalog::Entry entry,
                   Resolve(*caller.tenant, &chat.input));
  const std::string id = DrawName("chatcmpl-");
  const std::string name =
      chat.input.request_id.empty() ? id : chat.input.request_id;
  std::vector<GenerateInput> inputs;
  inputs.reserve(static_cast<size_t>(chat.n));
  for (int i = 0; i < chat.n; ++i) {
    inputs.push_back(InputOfChoice(chat.input, name, i, chat.n));
  }
  auto format = std::make_unique<ChatAnswer>(
      AnswerFormat::Options{
          .head = {.id = id,
                   .model = entry.name,
                   .created = absl::ToUnixSeconds(context_.clock.Now())},
          .num_choices = chat.n,
          .choices_per_prompt = chat.n,
          .stream = chat.stream,
          .logprobs = chat.input.logprobs.has_value(),
          .prices = entry.prices,
          .tokenizer = context_.model.tokenizer.get()},
      chat.reasoning_format);
  Exchange::Start(context_, ExchangeOptionsOf(caller, chat.stream),
                  std::move(inputs), std::move(format), tasks_, send);
  return absl::OkStatus();
}

absl::StatusOr<Echo> OpenAiHandlers::EchoOf(const PromptInput& prompt) const {
  const Tokenizer& tokenizer = *context_.model.tokenizer;
  if (const auto* ids = std::get_if<std::vector<TokenId>>(&prompt)) {
    return Echo{tokenizer.Decode(*ids, /*skip_special=*/false), ids->front()};
  }
  Echo echo{std::get<std::string>(prompt), std::nullopt};
  if (!tokenizer.BosId().has_value()) {
    ASSIGN_OR_RETURN(const std::vector<TokenId> ids,
                     EncodeTextPrompt(echo.text, context_.model));
    echo.first_token = ids.front();
  }
  return echo;
}

absl::Status OpenAiHandlers::CheckPrompts(
    const std::vector<PromptInput>& prompts) const {
  for (size_t i = 0; i < prompts.size(); ++i) {
    const std::string path =
        prompts.size() == 1 ? "prompt" : absl::StrCat("prompt[", i, "]");
    if (const auto* text = std::get_if<std::string>(&prompts[i])) {
      RETURN_IF_ERROR(CheckInputBytes(path, text->size()));
    } else if (const auto* ids =
                   std::get_if<std::vector<TokenId>>(&prompts[i])) {
      RETURN_IF_ERROR(
          CheckTokenIds(path, *ids, context_.model.card.vocab_size));
    }
  }
  return absl::OkStatus();
}

absl::Status OpenAiHandlers::StartCompletion(const HttpRequest& request,
                                             const Caller& caller,
                                             const Send& send) {
  ASSIGN_OR_RETURN(CompletionRequest completion,
                   ParseCompletionRequest(request.body));
  GenerateInput& common = completion.input;
  ASSIGN_OR_RETURN(const ModelCatalog::Entry entry,
                   Resolve(*caller.tenant, &common));
  common.text_from_ids = true;
  const std::string id = DrawName("cmpl-");
  const std::string name = common.request_id.empty() ? id : common.request_id;
  const int num_choices =
      static_cast<int>(completion.prompts.size()) * completion.n;
  std::vector<GenerateInput> inputs;
  std::vector<Echo> echoes;
  RETURN_IF_ERROR(CheckPrompts(completion.prompts));
  for (const PromptInput& prompt : completion.prompts) {
    Echo echo;
    if (completion.echo) {
      ASSIGN_OR_RETURN(echo, EchoOf(prompt));
    }
    for (int i = 0; i < completion.n; ++i) {
      const int choice = static_cast<int>(inputs.size());
      inputs.push_back(InputOfChoice(common, name, choice, num_choices));
      inputs.back().prompt = prompt;
      echoes.push_back(echo);
    }
  }
  auto format = std::make_unique<CompletionAnswer>(
      AnswerFormat::Options{
          .head = {.id = id,
                   .model = entry.name,
                   .created = absl::ToUnixSeconds(context_.clock.Now())},
          .num_choices = num_choices,
          .choices_per_prompt = completion.n,
          .stream = completion.stream,
          .logprobs = common.logprobs.has_value(),
          .prices = entry.prices,
          .tokenizer = context_.model.tokenizer.get()},
      std::move(echoes));
  Exchange::Start(context_, ExchangeOptionsOf(caller, completion.stream),
                  std::move(inputs), std::move(format), tasks_, send);
  return absl::OkStatus();
}

}  // namespace mesh::gateway
