// The parser behind --metrics=. Strict: what civetweb would understand differently
// (a bare port is every interface, "80s" is TLS, "80,81" is two ports) never reaches it.
#include "exporter/listen_address.h"

#include <arpa/inet.h>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace lockwarden {
namespace {

absl::Status Bad(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("metrics address \"", absl::CEscape(text), "\": ", why));
}

bool IsNumeric(int family, const std::string& host) {
  in6_addr storage;
  return inet_pton(family, host.c_str(), &storage) == 1;
}

// Digits only: SimpleAtoi alone would take "+80" and " 80".
bool ParsePort(absl::string_view text, int* port) {
  if (text.empty() || text.size() > 5) return false;
  for (const char c : text) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return absl::SimpleAtoi(text, port) && *port <= 65535;
}

}  // namespace

std::string ListenAddress::ToString() const {
  return ipv6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text) {
  if (text.empty()) return Bad(text, "is empty; write ADDR:PORT, for example 127.0.0.1:9464");
  ListenAddress address;
  absl::string_view host, port = text;
  if (absl::StartsWith(text, "[")) {
    const size_t close = text.find(']');
    if (close == text.npos) return Bad(text, "has no ']'");
    host = text.substr(1, close - 1);
    if (close + 1 == text.size() || text[close + 1] != ':') {
      return Bad(text, "has no port; write [ADDR]:PORT");
    }
    port = text.substr(close + 2);
    address.ipv6 = true;
    if (!IsNumeric(AF_INET6, std::string(host))) return Bad(text, "has no valid IPv6 address");
  } else if (const size_t colon = text.rfind(':'); colon != text.npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.find(':') != host.npos) {
      return Bad(text, "write an IPv6 address in brackets: [ADDR]:PORT");
    }
    if (host == "localhost") host = "127.0.0.1";
    if (!host.empty() && !IsNumeric(AF_INET, std::string(host))) {
      return Bad(text, "has no valid IPv4 address (names are not looked up)");
    }
  } else if (text.find('.') != text.npos) {
    return Bad(text, "has no port; write ADDR:PORT");
  }
  if (!host.empty()) address.host = std::string(host);
  if (!ParsePort(port, &address.port)) return Bad(text, "has no port between 0 and 65535");
  return address;
}

}  // namespace lockwarden
