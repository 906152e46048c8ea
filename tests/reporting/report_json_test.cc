// The JSON form: whole lines as kept, keys that the design promises, and bad bytes.
// golden/*.json are checked against docs/finding.schema.json by validate_json.py.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/reporting/golden.h"
#include "tests/reporting/sample_findings.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

using nlohmann::json;

TEST(ReportJsonTest, WholeLinesAreAsKeptInGolden) {
  for (const auto& [name, finding] : AllSamples()) {
    const std::string line = FormatJson(finding);
    EXPECT_EQ(line.find('\n'), line.npos);
    EXPECT_EQ(line + "\n", Golden(name + ".json", line + "\n")) << name;
  }
}

TEST(ReportJsonTest, KeysOfTheDesignAreThere) {
  const json finding = json::parse(FormatJson(TwoThreadDeadlock()));
  EXPECT_EQ(finding["kind"], "deadlock");
  EXPECT_EQ(finding["pid"], 4242);
  EXPECT_EQ(finding["program"], "/usr/local/bin/philosophers");
  EXPECT_EQ(finding["time"], "2026-11-21T09:30:00.123Z");
  EXPECT_EQ(finding["confidence"], "proven");
  EXPECT_EQ(finding["cycle"], json({0, 1}));
  const json& thread = finding["threads"][0];
  EXPECT_EQ(thread["tid"], 4243);
  EXPECT_EQ(thread["name"], "phil-0");
  EXPECT_EQ(thread["stack"][1]["function"], "grab_fork");
  EXPECT_EQ(finding["locks"][0]["address"], "0x5555555580c8");
  EXPECT_EQ(finding["locks"][0]["class"], "lay_table philosophers.c:20");
}

TEST(ReportJsonTest, EachLockThatAThreadNamesIsInLocks) {
  for (const auto& [name, finding] : AllSamples()) {
    const json parsed = json::parse(FormatJson(finding));
    std::set<uint64_t> known;
    for (const json& lock : parsed["locks"]) known.insert(lock["id"].get<uint64_t>());
    for (const json& thread : parsed["threads"]) {
      if (!thread["waits_for"].is_null()) {
        EXPECT_EQ(known.count(thread["waits_for"].get<uint64_t>()), 1u);
      }
      for (const json& hold : thread["holds"]) {
        EXPECT_EQ(known.count(hold["lock"].get<uint64_t>()), 1u);
      }
    }
  }
}

TEST(ReportJsonTest, ThreadThatJoinsNamesTheThreadAndNoLock) {
  const json parsed = json::parse(FormatJson(DeadlockWithoutSymbols()));
  EXPECT_TRUE(parsed["threads"][0]["waits_for"].is_null());
  EXPECT_EQ(parsed["threads"][0]["joins_tid"], 4244);
}

TEST(ReportJsonTest, BytesThatAreNotUtf8AreReplacedAndNothingThrows) {
  Finding finding = TwoThreadDeadlock();
  finding.threads[0].name = "caf\xe9\xff";
  finding.program = "\xc0\xaf/bin\n";
  const json parsed = json::parse(FormatJson(finding));
  EXPECT_EQ(parsed["threads"][0]["name"], "caf\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(ReportJsonTest, NumbersThatJsonCannotSayBecomeNull) {
  Finding finding = TwoThreadDeadlock();
  finding.threads[0].blocked_seconds = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(json::parse(FormatJson(finding))["threads"][0]["blocked_seconds"].is_null());
}

TEST(ReportJsonTest, TimeIsUtcWithMilliseconds) {
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatTime(951'826'499'999'999'999), "2000-02-29T12:14:59.999Z");
}

}  // namespace
}  // namespace lockwarden
