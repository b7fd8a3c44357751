// SPDX-License-Identifier: Apache-2.0
#include "gateway/http_routes.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/check.h"
#include "gateway/api_error.h"

namespace mesh::gateway {
namespace {

constexpr size_t kMaxQuotedBytes = 64;
constexpr std::array<absl::string_view, 9> kMethods = {
    "GET",     "HEAD",  "POST",    "PUT",  "DELETE",
    "CONNECT", "TRACE", "OPTIONS", "PATCH"};

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::CEscape(text.substr(0, kMaxQuotedBytes)),
                      text.size() > kMaxQuotedBytes ? "..." : "", "'");
}

absl::Status Refusal(absl::StatusCode status_code, int http_status,
                     absl::string_view code, absl::string_view message) {
  return ApiError(status_code, message,
                  {.code = std::string(code), .http_status = http_status});
}

// "application/json", perhaps with "charset=utf-8".
bool IsJsonType(absl::string_view content_type) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(content_type, ';');
  // No header at all gives no part.
  if (parts.empty() ||
      !absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parts[0]),
                              "application/json")) {
    return false;
  }
  return std::all_of(parts.begin() + 1, parts.end(),
                     [](absl::string_view part) {
                       part = absl::StripAsciiWhitespace(part);
                       if (!absl::StartsWithIgnoreCase(part, "charset="))
                         return true;
                       part.remove_prefix(absl::string_view("charset=").size());
                       if (absl::ConsumePrefix(&part, "\""))
                         absl::ConsumeSuffix(&part, "\"");
                       return absl::EqualsIgnoreCase(part, "utf-8");
                     });
}

absl::Status CheckJsonBody(const HttpRequest& request, bool is_declared) {
  constexpr absl::string_view kCode = "unsupported_media_type";
  const absl::string_view type = FindHeader(request.headers, "Content-Type");
  const bool from_web_page = !FindHeader(request.headers, "Origin").empty();
  if (!IsJsonType(type) && (is_declared || from_web_page)) {
    return Refusal(absl::StatusCode::kInvalidArgument, 415, kCode,
                   absl::StrCat("Content-Type is ", Quoted(type),
                                ", expected 'application/json' in UTF-8"));
  }
  const absl::string_view encoding =
      FindHeader(request.headers, "Content-Encoding");
  if (!encoding.empty() && !absl::EqualsIgnoreCase(encoding, "identity")) {
    return Refusal(absl::StatusCode::kInvalidArgument, 415, kCode,
                   absl::StrCat("Content-Encoding is ", Quoted(encoding),
                                ", expected a body that is not compressed"));
  }
  return absl::OkStatus();
}

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  if (lower >= 'a' && lower <= 'f') return lower - 'a' + 10;
  return std::nullopt;
}

// What is not two hexadecimal digits behind a '%' stays as it is.
std::string PercentDecoded(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const auto high = HexDigit(text[i + 1]);
      const auto low = HexDigit(text[i + 2]);
      if (high.has_value() && low.has_value()) {
        decoded.push_back(static_cast<char>(*high * 16 + *low));
        i += 2;
        continue;
      }
    }
    decoded.push_back(text[i]);
  }
  return decoded;
}

}  // namespace

HttpRoutes::HttpRoutes(ErrorWriter errors) { AddErrors("", std::move(errors)); }

void HttpRoutes::AddRoute(absl::string_view method, absl::string_view path,
                          Route route) {
  const bool is_new = paths_[std::string(path)]
                          .emplace(std::string(method), std::move(route))
                          .second;
  MESH_CHECK(is_new);
}

void HttpRoutes::Add(absl::string_view method, absl::string_view path,
                     Function function) {
  AddRoute(method, path, {.function = std::move(function)});
}

void HttpRoutes::AddJson(absl::string_view path, Function function) {
  AddRoute("POST", path,
           {.function = std::move(function), .body = Body::kDeclaredJson});
}

void HttpRoutes::AddUndeclaredJson(absl::string_view path, Function function) {
  AddRoute("POST", path,
           {.function = std::move(function), .body = Body::kJson});
}

void HttpRoutes::AddErrors(absl::string_view path_prefix, ErrorWriter errors) {
  errors_.emplace_back(path_prefix, std::move(errors));
  std::stable_sort(errors_.begin(), errors_.end(),
                   [](const auto& a, const auto& b) {
                     return a.first.size() > b.first.size();
                   });
}

HttpRoutes::Paths::const_iterator HttpRoutes::Find(
    absl::string_view path) const {
  const auto exact = paths_.find(std::string_view(path.data(), path.size()));
  if (exact != paths_.end()) return exact;
  // "/a/b/c" is in "/a/b/*" and in "/a/*".
  for (size_t slash = path.rfind('/');
       slash != absl::string_view::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    if (slash + 1 == path.size()) continue;
    const auto found =
        paths_.find(absl::StrCat(path.substr(0, slash + 1), "*"));
    if (found != paths_.end()) return found;
  }
  return paths_.end();
}

const HttpRoutes::Route* HttpRoutes::Choose(const HttpRequest& request,
                                            absl::Status* refusal,
                                            std::string* allow) const {
  if (std::count(kMethods.begin(), kMethods.end(), request.method) == 0) {
    *refusal = Refusal(
        absl::StatusCode::kUnimplemented, 501, "not_implemented",
        absl::StrCat("the method ", Quoted(request.method), " is not known"));
    return nullptr;
  }
  const auto methods = Find(request.path);
  if (methods == paths_.end()) {
    *refusal =
        Refusal(absl::StatusCode::kNotFound, 404, "unknown_route",
                absl::StrCat("there is nothing at ", Quoted(request.path)));
    return nullptr;
  }
  auto route = methods->second.find(request.method);
  if (route == methods->second.end() && request.method == "HEAD") {
    route = methods->second.find("GET");
  }
  if (route != methods->second.end()) return &route->second;
  *allow = absl::StrJoin(methods->second, ", ",
                         [](std::string* out, const auto& method) {
                           absl::StrAppend(out, method.first);
                           if (method.first == "GET") {
                             absl::StrAppend(out, ", HEAD");
                           }
                         });
  *refusal =
      Refusal(absl::StatusCode::kInvalidArgument, 405, "method_not_allowed",
              absl::StrCat(Quoted(request.path), " does not take ",
                           request.method, ", expected ", *allow));
  return nullptr;
}

void HttpRoutes::Handle(HttpRequest request,
                        std::shared_ptr<Responder> responder) {
  absl::Status refusal;
  std::string allow;
  const Route* route = Choose(request, &refusal, &allow);
  if (route != nullptr && route->body != Body::kAny) {
    refusal = CheckJsonBody(request, route->body == Body::kDeclaredJson);
  }
  if (refusal.ok()) {
    route->function(std::move(request), std::move(responder));
    return;
  }
  HttpResponse response = WriteError(request.path, refusal);
  if (!allow.empty()) response.headers.emplace_back("Allow", allow);
  responder->Respond(std::move(response));
}

absl::string_view HttpRoutes::PatternOf(absl::string_view path) const {
  const auto found = Find(path);
  return found == paths_.end() ? absl::string_view() : found->first;
}

HttpResponse HttpRoutes::WriteError(absl::string_view path,
                                    const absl::Status& status) const {
  // The last one has the empty prefix.
  const auto writer = std::find_if(
      errors_.begin(), errors_.end(), [path](const auto& candidate) {
        return absl::StartsWith(path, candidate.first);
      });
  return writer->second(status);
}

std::vector<std::string> HttpRoutes::List() const {
  std::vector<std::string> list;
  for (const auto& [path, methods] : paths_) {
    for (const auto& [method, route] : methods) {
      list.push_back(absl::StrCat(method, " ", path));
    }
  }
  return list;
}

std::string HttpRoutes::Rest(absl::string_view pattern,
                             absl::string_view path) {
  return PercentDecoded(path.substr(std::min(pattern.size() - 1, path.size())));
}

}  // namespace mesh::gateway
