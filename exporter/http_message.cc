// Parsing and formatting; see the header.
#include "exporter/http_message.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace lockwarden {
namespace {

const char* Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 302:
      return "Found";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

}  // namespace

RequestState ParseRequest(absl::string_view bytes, HttpRequest* out) {
  const size_t end = bytes.find("\r\n\r\n");
  if (end == bytes.npos) {
    return bytes.size() >= kMostRequestBytes ? RequestState::kTooLarge : RequestState::kIncomplete;
  }
  if (end > kMostRequestBytes) return RequestState::kTooLarge;
  const std::vector<absl::string_view> lines = absl::StrSplit(bytes.substr(0, end), "\r\n");
  const std::vector<absl::string_view> words = absl::StrSplit(lines[0], ' ');
  if (words.size() != 3 || words[0].empty() || !absl::StartsWith(words[1], "/") ||
      !absl::StartsWith(words[2], "HTTP/1.")) {
    return RequestState::kMalformed;
  }
  out->method = std::string(words[0]);
  out->path = std::string(words[1].substr(0, words[1].find('?')));
  out->authorization.clear();
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<absl::string_view, absl::string_view> header =
        absl::StrSplit(lines[i], absl::MaxSplits(':', 1));
    if (absl::EqualsIgnoreCase(header.first, "authorization")) {
      out->authorization = std::string(absl::StripAsciiWhitespace(header.second));
    }
  }
  return RequestState::kComplete;
}

std::string FormatResponse(const HttpResponse& response, bool head) {
  std::string text = absl::StrCat(
      "HTTP/1.1 ", response.status, " ", Reason(response.status),
      "\r\nContent-Type: ", response.content_type, "\r\nContent-Length: ", response.body.size(),
      // Each answer is of this moment, and nothing on a page comes from anywhere else.
      "\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff"
      "\r\nReferrer-Policy: no-referrer"
      "\r\nContent-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self';"
      " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
      " frame-ancestors 'none'\r\n");
  for (const auto& [name, value] : response.headers) {
    absl::StrAppend(&text, name, ": ", value, "\r\n");
  }
  text += "\r\n";
  if (!head) text += response.body;
  return text;
}

bool IsAuthorized(absl::string_view header, absl::string_view credentials) {
  std::string given;
  if (!absl::StartsWithIgnoreCase(header, "Basic ") ||
      !absl::Base64Unescape(header.substr(6), &given)) {
    return false;
  }
  size_t difference = given.size() ^ credentials.size();
  for (size_t i = 0; i < given.size(); ++i) {
    const char wanted = credentials.empty() ? '\0' : credentials[i % credentials.size()];
    difference |= static_cast<size_t>(static_cast<unsigned char>(given[i] ^ wanted));
  }
  return difference == 0;
}

}  // namespace lockwarden
