// What the exporter understands of HTTP/1.1: requests without a body, answered once a
// connection. Nothing here touches a socket.
//
// Pure functions and values. Must never: trust a length that a client names, or echo what
// a client sent.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace lockwarden {

struct HttpRequest {
  std::string method;         // "GET"
  std::string path;           // as sent, without the query
  std::string authorization;  // the header's value; may be empty
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};  // beside the usual ones
};

inline constexpr size_t kMostRequestBytes = 8192;  // request line and headers

enum class RequestState { kIncomplete, kComplete, kMalformed, kTooLarge };
// Reads the head of a request. *out is filled only when it is complete.
RequestState ParseRequest(absl::string_view bytes, HttpRequest* out);

// The whole answer. `head`: the same, without the body, as HEAD wants it.
std::string FormatResponse(const HttpResponse& response, bool head);

// Whether an Authorization header is Basic with exactly these credentials ("user:password").
// Takes the same time wherever they differ.
bool IsAuthorized(absl::string_view header, absl::string_view credentials);

}  // namespace lockwarden
