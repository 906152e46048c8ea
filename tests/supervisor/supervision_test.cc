// The pure parts of supervision: ladders, stopping, the history of restarts, jitter; and what is
// said to the journal, against a socket of the test's own.
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "run_process.h"
#include "watchdog/core_dumps.h"
#include "watchdog/journal.h"
#include "watchdog/ladder.h"
#include "watchdog/restart_history.h"
#include "watchdog/restart_policy.h"
#include "watchdog/stop_policy.h"

namespace lockwarden {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr char kActions[] = "note|report|dump|abort|restart";

TEST(LadderTest, EachStepComesOnceAfterItsOwnDelay) {
  const auto ladder = Ladder::Parse("dump:5s+abort+restart:1m", kActions);
  ASSERT_TRUE(ladder.ok()) << ladder.status();
  EXPECT_EQ(ladder->Due(0, 100 * kSecond, 0, 104 * kSecond), nullptr);
  ASSERT_NE(ladder->Due(0, 100 * kSecond, 0, 105 * kSecond), nullptr);
  EXPECT_EQ(ladder->Due(0, 100 * kSecond, 0, 105 * kSecond)->action, DeadlockAction::kDump);
  EXPECT_EQ(ladder->Due(1, 105 * kSecond, 0, 114 * kSecond), nullptr) << "10s if not said";
  EXPECT_EQ(ladder->Due(1, 105 * kSecond, 0, 115 * kSecond)->action, DeadlockAction::kAbort);
  EXPECT_EQ(ladder->Due(2, 115 * kSecond, 0, 174 * kSecond), nullptr);
  EXPECT_EQ(ladder->Due(2, 115 * kSecond, 0, 175 * kSecond)->action, DeadlockAction::kRestart);
  EXPECT_EQ(ladder->Due(3, 175 * kSecond, 0, 999 * kSecond), nullptr) << "none is left";
  EXPECT_TRUE(ladder->Has(DeadlockAction::kAbort));
  EXPECT_FALSE(ladder->Has(DeadlockAction::kReport));
  EXPECT_FALSE(ladder->OnlyTells());

  const Ladder one = DeadlockAction::kAbort;
  EXPECT_EQ(one, *Ladder::Parse("abort", kActions));
  EXPECT_EQ(one.Due(0, 0, 3 * kSecond, 2 * kSecond), nullptr);
  EXPECT_NE(one.Due(0, 0, 3 * kSecond, 3 * kSecond), nullptr);
  EXPECT_TRUE(Ladder(DeadlockAction::kReport).OnlyTells());
  EXPECT_TRUE(Ladder::Parse("note+report:5s", kActions)->BeginsWithNote());
}

TEST(LadderTest, MistakesAreSaid) {
  const struct {
    const char *text, *actions, *message;
  } table[] = {
      {"", "report|abort", "must be one of report, abort"},
      {"dump", "report|abort", "must be one of report, abort"},
      {"abort+", "report|abort", "must be one of report, abort"},
      {"abort:5", "abort", "the delay of abort must be a duration with its unit, such as 5s"},
      {"abort:-5s", "abort", "the delay of abort must be a duration with its unit, such as 5s"},
      {"restart+abort", "abort|restart", "each step must be harder than the one before"},
      {"abort+abort", "abort|restart", "each step must be harder than the one before"},
  };
  for (const auto& row : table) {
    EXPECT_EQ(Ladder::Parse(row.text, row.actions).status().message(), row.message) << row.text;
  }
}

TEST(LadderTest, ACauseMayHaveALadderOfItsOwn) {
  const auto ladders = StallLadders::Parse("abort:1s+restart;starved=report;lock=dump", kActions);
  ASSERT_TRUE(ladders.ok()) << ladders.status();
  EXPECT_TRUE(ladders->For("running").Has(DeadlockAction::kRestart));
  EXPECT_TRUE(ladders->For("starved").OnlyTells());
  EXPECT_EQ(ladders->For("lock"), Ladder(DeadlockAction::kDump));
  EXPECT_TRUE(ladders->Has(DeadlockAction::kDump));
  EXPECT_FALSE(ladders->OnlyTells());
  EXPECT_TRUE(StallLadders().OnlyTells());
  EXPECT_EQ(StallLadders::Parse("abort;hungry=report", kActions).status().message(),
            "a cause must be one of lock, system_call, running, starved, throttled, "
            "uninterruptible, ended, unknown");
  EXPECT_FALSE(StallLadders::Parse("abort;", kActions).ok());
}

TEST(StopPolicyTest, KillsOnlyWhatWasGivenATimeLimitOrIsStuck) {
  StopPolicy patient(0, 0);
  EXPECT_FALSE(patient.asked());
  for (int i = 0; i < 5; ++i) {  // Ctrl-C again and again: the program may mean something by it
    const StopPolicy::Step step = patient.OnRequest(false, true, kSecond);
    EXPECT_FALSE(step.kill);
    EXPECT_EQ(step.signal, 0);
  }
  EXPECT_TRUE(patient.asked());
  EXPECT_EQ(patient.deadline_ns(), 0u);
  EXPECT_TRUE(patient.OnRequest(/*stuck=*/true, true, kSecond).kill) << "asked before";

  StopPolicy stuck(0, 0);
  EXPECT_FALSE(stuck.OnRequest(true, true, kSecond).kill) << "the first time it may still end";
  EXPECT_TRUE(stuck.OnRequest(true, true, kSecond).kill);

  StopPolicy limited(0, 10 * kSecond);
  EXPECT_FALSE(limited.OnRequest(false, false, 5 * kSecond).kill);
  EXPECT_FALSE(limited.IsOver(14 * kSecond));
  EXPECT_TRUE(limited.IsOver(15 * kSecond));
  EXPECT_TRUE(limited.OnRequest(false, false, 6 * kSecond).kill) << "the second request";
  limited.Killed();
  EXPECT_FALSE(limited.IsOver(99 * kSecond));
}

TEST(StopPolicyTest, SendsItsOwnSignalUnlessTheTerminalWasFaster) {
  StopPolicy policy(SIGQUIT, 0);
  EXPECT_EQ(policy.OnRequest(false, /*first_hand=*/false, 0).signal, SIGQUIT);
  EXPECT_EQ(policy.OnRequest(false, /*first_hand=*/true, 0).signal, 0);
  EXPECT_EQ(ParseSignal("TERM"), SIGTERM);
  EXPECT_EQ(ParseSignal("SIGQUIT"), SIGQUIT);
  EXPECT_EQ(ParseSignal("37"), 37);
  for (const char* bad : {"", "KILL", "SIGSTOP", "9", "0", "65", "-1", "TERMINATE", "term"}) {
    EXPECT_EQ(ParseSignal(bad), std::nullopt) << bad;
  }
}

TEST(RestartHistoryTest, AnotherSupervisorGoesOnWithTheBudgetThatIsLeft) {
  const std::string text = FormatRestartHistory({5, 7, 9}, "boot");
  EXPECT_EQ(ParseRestartHistory(text, "boot", 9), (std::vector<uint64_t>{5, 7, 9}));
  const struct {
    std::string what, text;
  } useless[] = {
      {"another boot", FormatRestartHistory({5}, "other")},
      {"from the future", FormatRestartHistory({5, 11}, "boot")},
      {"not in order", FormatRestartHistory({7, 5}, "boot")},
      {"damaged", text + "x\n"},
      {"empty", ""},
      {"another version", "lockwarden restarts 2 boot\n5\n"},
  };
  for (const auto& row : useless) {
    EXPECT_TRUE(ParseRestartHistory(row.text, "boot", 10).empty()) << row.what;
  }

  const TemporaryDirectory directory;
  Options options;
  options.restart = RestartWhen::kAlways;
  options.restart_max = 2;
  options.restart_window = absl::Seconds(10);
  const std::string file = directory.File("restarts");
  EXPECT_TRUE(LoadRestartHistory(file, kSecond).empty());
  RestartPolicy first(options);
  first.OnEnd({.code = 1}, kSecond);
  first.OnEnd({.code = 1}, 2 * kSecond);
  ASSERT_TRUE(SaveRestartHistory(file, first.history()).ok());
  RestartPolicy second(options);
  second.Remember(LoadRestartHistory(file, 3 * kSecond));
  EXPECT_EQ(second.Remaining(3 * kSecond), 0);
  EXPECT_EQ(second.OnEnd({.code = 1}, 3 * kSecond).verdict, RestartPolicy::Verdict::kBudgetSpent);
  EXPECT_FALSE(SaveRestartHistory(directory.File("no/such"), {}).ok());
}

TEST(RestartPolicyTest, ByChanceAPauseIsUpToAQuarterLonger) {
  Options options;
  options.restart = RestartWhen::kAlways;
  options.restart_max = 1000;
  options.restart_delay = absl::Milliseconds(100);
  for (const uint64_t chance :
       {uint64_t{0}, uint64_t{24'999'999}, uint64_t{25'000'000}, ~uint64_t{0}}) {
    RestartPolicy policy(options, [chance] { return chance; });
    const uint64_t pause_ns = policy.OnEnd({.code = 1}, 0).at_ns;
    EXPECT_EQ(pause_ns, 100'000'000 + chance % 25'000'001);
  }
}

TEST(CoreDumpsTest, WhatIsNotDumpedIsSaidAndCounted) {
  const TemporaryDirectory directory;
  CoreDumps too_large({}, /*most_bytes=*/1);
  const absl::Status status = too_large.Start(getpid(), directory.path(), kSecond);
  if (absl::IsNotFound(status)) GTEST_SKIP() << status;
  EXPECT_NE(status.message().find("incidents_mb=1"), absl::string_view::npos) << status;
  EXPECT_EQ(too_large.results().at("failed"), 1u);
  CoreDumps nowhere({}, 0);
  EXPECT_EQ(nowhere.Start(getpid(), "", kSecond).message(), "it has no incident");
  EXPECT_FALSE(nowhere.busy());
}

TEST(JournalTest, SaysTheIncidentInAFieldOfItsOwn) {
  const TemporaryDirectory directory;
  const std::string name = directory.File("socket");
  const int listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un own{};
  own.sun_family = AF_UNIX;
  std::memcpy(own.sun_path, name.data(), name.size());
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&own), sizeof own), 0);
  struct stat file;
  ASSERT_EQ(fstat(STDERR_FILENO, &file), 0);
  const std::string stream = std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino);
  Finding finding;
  finding.headline = "DEADLOCK: thread 'x\nPRIORITY=0'";
  finding.pid = 42;
  finding.incident = "the-id";
  finding.fingerprint = "0011";
  Journal journal(stream, name);
  ASSERT_TRUE(journal.listens());
  journal.Tell(finding, "deadlock");
  char text[1024];
  const ssize_t size = recv(listener, text, sizeof text, MSG_DONTWAIT);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(text, static_cast<size_t>(size)),
            "MESSAGE=lockwarden: DEADLOCK: thread 'x\\x0aPRIORITY=0' (pid 42, incident the-id)\n"
            "PRIORITY=3\nSYSLOG_IDENTIFIER=lockwarden\nLOCKWARDEN_KIND=deadlock\n"
            "LOCKWARDEN_INCIDENT=the-id\nLOCKWARDEN_FINGERPRINT=0011\nLOCKWARDEN_PID=42\n");
  close(listener);
  unlink(name.c_str());
  journal.Tell(finding, "deadlock");
  EXPECT_EQ(journal.lost(), 1u);
  EXPECT_FALSE(Journal("", name).listens()) << "not systemd's";
  EXPECT_FALSE(Journal("1:1", name).listens()) << "standard error leads elsewhere";
}

}  // namespace
}  // namespace lockwarden
