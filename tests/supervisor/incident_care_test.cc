// What becomes of incidents once they are written: the quota that removes old ones, and the
// command that is run for each.
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "run_fixture.h"
#include "watchdog/incident_hook.h"
#include "watchdog/incident_quota.h"

namespace lockwarden {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

TEST(IncidentQuotaTest, TheOldestGoAndTheNewestNever) {
  const std::vector<StoredIncident> stored = {{"c", 30}, {"a", 10}, {"d", 40}, {"b", 20}};
  EXPECT_EQ(IncidentsToRemove(stored, 0, 0, ""), Strings());
  EXPECT_EQ(IncidentsToRemove(stored, 4, 100, ""), Strings());
  EXPECT_EQ(IncidentsToRemove(stored, 2, 0, ""), Strings({"a", "b"}));
  EXPECT_EQ(IncidentsToRemove(stored, 0, 99, ""), Strings({"a"}));
  EXPECT_EQ(IncidentsToRemove(stored, 3, 65, ""), Strings({"a", "b", "c"}));
  EXPECT_EQ(IncidentsToRemove(stored, 1, 1, ""), Strings({"a", "b", "c"}));
  EXPECT_EQ(IncidentsToRemove(stored, 2, 0, "a"), Strings({"b", "c"})) << "the clock went back";
  EXPECT_EQ(IncidentsToRemove({}, 1, 1, ""), Strings());
}

TEST(IncidentQuotaTest, OnlyWhatIsNamedLikeAnIncidentIsTouched) {
  EXPECT_TRUE(IsIncidentId("20261121T093000Z-4242-00112233-1"));
  for (const char* name : {"", "notes", ".tmp-20261121T093000Z-4242-00112233-1", "..",
                           "20261121T093000Z-4242-00112233", "20261121T093000Z-4242-0011223g-1",
                           "20261121-093000Z-4242-00112233-1", "20261121T093000Z--00112233-1"}) {
    EXPECT_FALSE(IsIncidentId(name)) << name;
  }
  const TemporaryDirectory directory;
  const std::string outside = directory.File("outside");
  WriteFile(outside, "precious");
  const std::string incidents = directory.File("incidents");
  mkdir(incidents.c_str(), 0700);
  const std::string old_one = incidents + "/20261121T093000Z-1-00112233-1";
  const std::string link = incidents + "/20261121T093001Z-1-00112233-2";
  const std::string newest = incidents + "/20261121T093002Z-1-00112233-3";
  const std::string notes = incidents + "/notes";
  for (const std::string& made : {old_one, newest, notes}) {
    mkdir(made.c_str(), 0700);
    WriteFile(made + "/report.txt", "text");
  }
  EXPECT_EQ(symlink(outside.c_str(), (old_one + "/link").c_str()), 0);
  EXPECT_EQ(symlink(directory.path().c_str(), link.c_str()), 0);
  const QuotaResult result = KeepWithinQuota(incidents, 1, 0, "");
  EXPECT_EQ(result.removed, 1u);
  EXPECT_EQ(result.failed, 0u);
  EXPECT_GT(result.bytes, 0u);
  EXPECT_FALSE(std::filesystem::exists(old_one));
  EXPECT_TRUE(std::filesystem::exists(newest + "/report.txt"));
  EXPECT_TRUE(std::filesystem::exists(notes + "/report.txt"));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(ReadFile(outside), "precious");
}

// Waits for the hook's children until it is idle.
void Finish(IncidentHook* hook, uint64_t now_ns) {
  for (int i = 0; hook->busy() && i < 4000; ++i) {
    int status;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid > 0) {
      EXPECT_TRUE(hook->Reaped(pid, status, now_ns));
    } else {
      poll(nullptr, 0, 10);
    }
  }
  EXPECT_FALSE(hook->busy());
}

Finding Sample() {
  Finding finding;
  finding.kind = FindingKind::kDeadlock;
  finding.pid = 42;
  finding.headline = "DEADLOCK: 2 threads; $(touch never)";
  finding.incident = "the-id";
  return finding;
}

TEST(IncidentHookTest, IsToldWhatHappenedAndItsResultIsCounted) {
  const TemporaryDirectory directory;
  const std::string out = directory.File("out");
  IncidentHook hook("cd " + directory.path() +
                        "; echo \"$LOCKWARDEN_INCIDENT|$LOCKWARDEN_KIND|"
                        "$LOCKWARDEN_PID|$LOCKWARDEN_HEADLINE|$OTHER\" > out",
                    {"OTHER=kept", "LOCKWARDEN_KIND=forged", "PATH=/usr/bin:/bin"}, 0);
  hook.Start(Sample(), "/incidents", 0);
  Finish(&hook, 0);
  EXPECT_EQ(ReadFile(out),
            "/incidents/the-id|deadlock|42|DEADLOCK: 2 threads; $(touch never)|kept\n");
  EXPECT_FALSE(std::filesystem::exists(directory.File("never")));
  EXPECT_EQ(hook.results().at("ok"), 1u);

  IncidentHook bad("exit 3", {}, 0);
  bad.Start(Sample(), "", 0);
  Finish(&bad, 0);
  EXPECT_EQ(bad.results().at("failed"), 1u);
}

TEST(IncidentHookTest, WhatHangsIsKilledWithWhatItStarted) {
  const TemporaryDirectory directory;
  IncidentHook hook("sleep 1000 & echo $! > " + directory.File("pid.tmp") + "; mv " +
                        directory.File("pid.tmp") + " " + directory.File("pid") + "; wait",
                    {"PATH=/usr/bin:/bin"}, 5 * kSecond);
  hook.Start(Sample(), "", kSecond);
  EXPECT_EQ(hook.next_look_ns(), 6 * kSecond);
  for (int i = 0; i < 4000 && !std::filesystem::exists(directory.File("pid")); ++i) {
    poll(nullptr, 0, 10);
  }
  const pid_t grandchild = std::stoi(ReadFile(directory.File("pid")));
  hook.Look(5 * kSecond);
  EXPECT_EQ(kill(grandchild, 0), 0);
  hook.Look(6 * kSecond);
  Finish(&hook, 6 * kSecond);
  EXPECT_EQ(hook.results().at("timeout"), 1u);
  const auto gone = [&] {
    const std::string stat = ReadFile("/proc/" + std::to_string(grandchild) + "/stat");
    return stat.empty() || stat.find(") Z ") != stat.npos;
  };
  for (int i = 0; i < 4000 && !gone(); ++i) poll(nullptr, 0, 10);
  EXPECT_TRUE(gone());
}

TEST(IncidentHookTest, AStormIsBoundedAndWhatIsDroppedIsCounted) {
  IncidentHook hook("exit 0", {}, 0);
  constexpr size_t kMany = IncidentHook::kAtOnce + IncidentHook::kWaiting;
  for (size_t i = 0; i < kMany + 3; ++i) hook.Start(Sample(), "", 0);
  EXPECT_EQ(hook.results().at("dropped"), 3u);
  Finish(&hook, 0);
  EXPECT_EQ(hook.results().at("ok"), kMany);
}

TEST_F(RunTest, CommandIsRunForTheIncidentAndOldIncidentsGo) {
  const std::string log = directory_.File("log");
  const Strings options = {"--incidents_max=2", "--on_incident=ls $LOCKWARDEN_INCIDENT >> " + log};
  for (int i = 0; i < 3; ++i) {
    const ProcessResult result = Run(options, Program("deadlock"));
    EXPECT_EQ(result.code, 66);
    EXPECT_EQ(result.err.find("on_incident"), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find("1 older incident removed") != std::string::npos, i == 2);
  }
  EXPECT_EQ(Incidents(), 2u);
  const Strings said = Lines(ReadFile(log));
  EXPECT_EQ(std::count(said.begin(), said.end(), "report.json"), 3);
}

TEST_F(RunTest, CommandThatFailsIsSaidOnceAndChangesNothing) {
  const ProcessResult result = Run({"--on_incident=exit 1"}, Program("deadlock"));
  EXPECT_EQ(result.code, 66);
  EXPECT_TRUE(HasLine(result.err, "lockwarden: on_incident: 1 failed, 0 took too long, 0 not run"))
      << result.err;
}

}  // namespace
}  // namespace lockwarden
