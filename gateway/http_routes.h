// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "gateway/http/http_message.h"
#include "gateway/http/responder.h"

namespace mesh::gateway {

// Method and path to the function that answers. What it refuses itself: an
// unknown path (404 unknown_route), a known one with another method (405
// method_not_allowed, with Allow), a method that HTTP does not have (501), and
// on routes for JSON any other kind of body (415 unsupported_media_type).
// Routes are added before the first request; from then on thread-safe.
class HttpRoutes final : public HttpHandler {
 public:
  using Function = std::function<void(HttpRequest, std::shared_ptr<Responder>)>;
  // How a dialect says an error.
  using ErrorWriter = std::function<HttpResponse(const absl::Status&)>;

  // For errors on paths that no AddErrors speaks for.
  explicit HttpRoutes(ErrorWriter errors);

  // A path that ends in "/*" stands for every longer one, with less right than
  // a path that is the same; see Rest(). A GET route answers HEAD as well, and
  // the server leaves out the body.
  // REQUIRES: nobody else has this method and path.
  void Add(absl::string_view method, absl::string_view path, Function function);
  // POST with a body that says it is JSON in UTF-8, not compressed.
  void AddJson(absl::string_view path, Function function);
  // The same whatever the body says it is, unless a web page sends it: a page
  // must not reach a port of its reader's machine unasked.
  void AddUndeclaredJson(absl::string_view path, Function function);
  // For errors on paths that begin so; the longest such prefix counts.
  void AddErrors(absl::string_view path_prefix, ErrorWriter errors);

  void Handle(HttpRequest request,
              std::shared_ptr<Responder> responder) override;

  // The path as it was added, for labels of metrics; empty: unknown.
  absl::string_view PatternOf(absl::string_view path) const;
  // Says `status` in the dialect of `path`, for those who refuse a request
  // before it gets here.
  HttpResponse WriteError(absl::string_view path,
                          const absl::Status& status) const;
  // "GET /version", sorted by path and method; for the documentation's test.
  std::vector<std::string> List() const;

  // What stands for the '*' of `pattern` in `path`, percent-decoded.
  static std::string Rest(absl::string_view pattern, absl::string_view path);

 private:
  enum class Body { kAny, kJson, kDeclaredJson };
  struct Route {
    Function function;
    Body body = Body::kAny;
  };
  using Methods = std::map<std::string, Route, std::less<>>;
  using Paths = std::map<std::string, Methods, std::less<>>;

  void AddRoute(absl::string_view method, absl::string_view path, Route route);
  Paths::const_iterator Find(absl::string_view path) const;
  // The route, or null and the refusal.
  const Route* Choose(const HttpRequest& request, absl::Status* refusal,
                      std::string* allow) const;

  Paths paths_;
  // Longest first.
  std::vector<std::pair<std::string, ErrorWriter>> errors_;
};

}  // namespace mesh::gateway
