// What several supervisors say, put together.
#include "exporter/host_view.h"

#include <gtest/gtest.h>

#include <string>

#include "exporter/local_get.h"
#include "nlohmann/json.hpp"

namespace lockwarden {
namespace {

HostProcess Of(const std::string& process, int slot, const std::string& metrics) {
  HostProcess it;
  it.process = process;
  it.slot = slot;
  it.answers = true;
  it.metrics = metrics;
  return it;
}

TEST(HostViewTest, EachFamilyComesOnceWithTheSamplesOfAll) {
  const std::string page =
      "# HELP process_a A b.\n# TYPE process_a counter\nprocess_a 1\n"
      "process_a{k=\"x \\\"y\"} 2\n";
  const HostProcess first = Of("server", 0, page), second = Of("server", 1, page + "process_b 3\n");
  EXPECT_EQ(MergeMetrics({&first, &second}),
            "# HELP process_a A b.\n# TYPE process_a counter\n"
            "process_a{process=\"server\",slot=\"0\"} 1\n"
            "process_a{process=\"server\",slot=\"0\",k=\"x \\\"y\"} 2\n"
            "process_a{process=\"server\",slot=\"1\"} 1\n"
            "process_a{process=\"server\",slot=\"1\",k=\"x \\\"y\"} 2\n"
            "process_b{process=\"server\",slot=\"1\"} 3\n");
}

TEST(HostViewTest, AHistogramStaysTogether) {
  const std::string page =
      "# TYPE process_a histogram\nprocess_a_count 3\nprocess_a_sum 4\n"
      "process_a_bucket{le=\"1e-06\"} 3\n# TYPE process_b gauge\nprocess_b_count 5\n";
  const HostProcess first = Of("server", 0, page), second = Of("server", 1, page);
  EXPECT_EQ(MergeMetrics({&first, &second}),
            "# TYPE process_a histogram\n"
            "process_a_count{process=\"server\",slot=\"0\"} 3\n"
            "process_a_sum{process=\"server\",slot=\"0\"} 4\n"
            "process_a_bucket{process=\"server\",slot=\"0\",le=\"1e-06\"} 3\n"
            "process_a_count{process=\"server\",slot=\"1\"} 3\n"
            "process_a_sum{process=\"server\",slot=\"1\"} 4\n"
            "process_a_bucket{process=\"server\",slot=\"1\",le=\"1e-06\"} 3\n"
            "# TYPE process_b gauge\n"
            "process_b_count{process=\"server\",slot=\"0\"} 5\n"
            "process_b_count{process=\"server\",slot=\"1\"} 5\n");
}

TEST(HostViewTest, WhatIsNoSampleOfOursIsLeftOut) {
  const HostProcess process =
      Of("server", 0,
         "up 1\nprocess_a one\nprocess_a{k=\"v} 1\nprocess_a{k=\"v\"}1\nprocess_a{K=\"v\"} 1\n"
         "process_a{k=\"v\\\nprocess_A 1\n# TYPE process_a summary\n# EOF\nprocess_a\n"
         "process_a{k=\"v\\\"} 1\nprocess_a{process=\"v\"} 1\nprocess_a{k=\"v\",k=\"w\"} 1\n"
         "process_a{a=\"1\"b=\"2\"} 1\nprocess_a{k=\"\xff\"} 1\nprocess_a 1\r\nprocess_a  1\n"
         "process_a nan(x)\nprocess_a 1e999\nlockwarden_a +Inf\n");
  EXPECT_EQ(MergeMetrics({&process}), "lockwarden_a{process=\"server\",slot=\"0\"} +Inf\n");
}

TEST(HostViewTest, OneThatDoesNotAnswerHasNoSamples) {
  HostProcess silent = Of("server", 0, "process_a 1\n");
  silent.answers = false;
  EXPECT_EQ(MergeMetrics({&silent}), "");
}

TEST(HostViewTest, AFreeSlotIsTakenAgain) {
  Slots slots;
  EXPECT_EQ(slots.Take("server"), 0);
  EXPECT_EQ(slots.Take("server"), 1);
  EXPECT_EQ(slots.Take("other"), 0);
  slots.Free("server", 0);
  EXPECT_EQ(slots.Take("server"), 0);
  EXPECT_EQ(slots.Take("server"), 2);
}

TEST(HostViewTest, ANameCannotBreakALabelOrAPath) {
  EXPECT_EQ(SafeName("my server\"}/../x"), "my_server___.._x");
  EXPECT_EQ(SafeName(""), "unknown");
  EXPECT_EQ(SafeName(std::string(100, 'a')).size(), 64u);
}

TEST(HostViewTest, FileSdLeadsToEachProcess) {
  const HostProcess process = Of("server", 1, "");
  const auto list = nlohmann::json::parse(FileSd({&process}, "127.0.0.1:9464"));
  EXPECT_EQ(list[0]["targets"][0], "127.0.0.1:9464");
  EXPECT_EQ(list[0]["labels"]["__metrics_path__"], "/process/server-1/metrics");
}

TEST(LocalServersTest, OnlyOwnNamesCountAndEachOnce) {
  const std::string lines =
      "Num RefCount Protocol Flags Type St Inode Path\n"
      "0: 2 0 10000 1 1 1 @lockwarden-serve/1000/42/900\n"
      "0: 3 0 0 1 3 2 @lockwarden-serve/1000/42/900\n"
      "0: 2 0 10000 1 1 1 @lockwarden-serve/0/7/900\n"
      "0: 2 0 10000 1 1 1 @lockwarden-serve/1000/x/900\n"
      "0: 2 0 10000 1 1 1 @lockwarden-serve/1000/9/9/9\n"
      "0: 2 0 10000 1 1 1 @lockwarden-serve/1000/9\n"
      "0: 2 0 10000 1 1 1 @lockwarden-serve/1000/-4/900\n"
      "0: 2 0 10000 1 1 1 /tmp/lockwarden-serve/1000/5/900\n";
  const auto own = ParseLocalServers(lines, 1000);
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].name, LocalName(1000, 42, 900));
  EXPECT_EQ(ParseLocalServers(lines, 0).size(), 2u);
  EXPECT_NE(own[0].name, LocalName(1000, 42, 901)) << "another process with the same pid";
}

TEST(LocalServersTest, OneUsersNamesLeaveRoomForTheOthers) {
  std::vector<LocalServer> servers;
  for (pid_t pid = 1; pid <= 100; ++pid) servers.push_back({LocalName(66, pid, 900), 66, pid});
  for (pid_t pid = 1000; pid < 1003; ++pid) servers.push_back({LocalName(0, pid, 900), 0, pid});
  servers.push_back({LocalName(7, 2000, 900), 7, 2000});
  const auto shared = ShareOut(servers, 0, 8);
  ASSERT_EQ(shared.size(), 6u);
  EXPECT_EQ(shared[0].uid, 0u) << "our own come first";
  EXPECT_EQ(shared[3].uid, 66u);
  EXPECT_EQ(shared[4].uid, 66u);
  EXPECT_EQ(shared[5].uid, 7u);
}

}  // namespace
}  // namespace lockwarden
