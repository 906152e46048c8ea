// What --metrics= accepts and refuses, as a table: refused ones beside accepted ones.
#include "exporter/listen_address.h"

#include <gtest/gtest.h>

#include <string>

namespace lockwarden {
namespace {

TEST(ListenAddressTest, AcceptsAnAddressWithAPortAndMeansLoopbackWithoutOne) {
  const struct {
    const char* text;
    const char* means;
  } kCases[] = {
      {"127.0.0.1:9464", "127.0.0.1:9464"}, {"9464", "127.0.0.1:9464"},
      {":9464", "127.0.0.1:9464"},          {"localhost:9464", "127.0.0.1:9464"},
      {"0.0.0.0:9464", "0.0.0.0:9464"},     {"192.168.1.2:65535", "192.168.1.2:65535"},
      {"127.0.0.1:0", "127.0.0.1:0"},       {"[::1]:9464", "[::1]:9464"},
      {"[::]:9464", "[::]:9464"},
  };
  for (const auto& c : kCases) {
    const absl::StatusOr<ListenAddress> address = ParseListenAddress(c.text);
    ASSERT_TRUE(address.ok()) << c.text << ": " << address.status();
    EXPECT_EQ(address->ToString(), c.means);
  }
}

TEST(ListenAddressTest, RefusesEverythingElseInOneLineThatQuotesIt) {
  const struct {
    const char* text;
    const char* why;
  } kCases[] = {
      {"", "is empty"},
      {"127.0.0.1", "has no port"},
      {"127.0.0.1:", "between 0 and 65535"},
      {"127.0.0.1:65536", "between 0 and 65535"},
      {"127.0.0.1:99999999999", "between 0 and 65535"},
      {"127.0.0.1:-1", "between 0 and 65535"},
      {"127.0.0.1:+80", "between 0 and 65535"},
      {"127.0.0.1: 80", "between 0 and 65535"},
      {"127.0.0.1:80s", "between 0 and 65535"},
      {"80s", "between 0 and 65535"},
      {"80,81", "between 0 and 65535"},
      {"127.0.0.1:80,127.0.0.1:81", "in brackets"},
      {"metrics", "between 0 and 65535"},
      {"example.com:9464", "not looked up"},
      {"256.0.0.1:9464", "IPv4"},
      {"127.1:9464", "IPv4"},
      {"*:9464", "IPv4"},
      {"::1:9464", "in brackets"},
      {"::1", "in brackets"},
      {"[::1]", "has no port"},
      {"[::1]9464", "has no port"},
      {"[::1:9464", "has no ']'"},
      {"[127.0.0.1]:9464", "IPv6"},
      {"[]:9464", "IPv6"},
      {"http://127.0.0.1:9464", "in brackets"},
      {"127.0.0.1:9464\n", "between 0 and 65535"},
  };
  for (const auto& c : kCases) {
    const absl::StatusOr<ListenAddress> address = ParseListenAddress(c.text);
    ASSERT_FALSE(address.ok()) << c.text;
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << c.text;
    const std::string message(address.status().message());
    EXPECT_NE(message.find(c.why), message.npos) << c.text << " gives: " << message;
    EXPECT_EQ(message.rfind("metrics address \"", 0), 0u) << message;
    EXPECT_EQ(message.find('\n'), message.npos) << message;
  }
}

}  // namespace
}  // namespace lockwarden
