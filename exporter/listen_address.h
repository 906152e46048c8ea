// ListenAddress: what the operator wrote behind --metrics=, checked, so that a typing
// error is one clear line and never a port that is open to the whole network.
//
// Pure functions and a value; no state, no name resolution (it would block).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lockwarden {

struct ListenAddress {
  std::string host = "127.0.0.1";  // numeric, without brackets
  int port = 0;                    // 0: the kernel chooses
  bool ipv6 = false;

  std::string ToString() const;  // "127.0.0.1:9464", "[::1]:9464"
};

// Accepts "ADDR:PORT" with a numeric IPv4 address, "[ADDR]:PORT" with an IPv6 address,
// "localhost:PORT", and "PORT" or ":PORT" alone, which mean 127.0.0.1: who wants every
// interface says 0.0.0.0. Errors: kInvalidArgument with one line that quotes `text`.
absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text);

}  // namespace lockwarden
