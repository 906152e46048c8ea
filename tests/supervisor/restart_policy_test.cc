// The budget and the pauses, by an injected clock; and a naive twin on random histories.
#include "watchdog/restart_policy.h"

#include <gtest/gtest.h>

#include <csignal>
#include <random>

#include "watchdog/self_restart.h"

namespace lockwarden {
namespace {

using Verdict = RestartPolicy::Verdict;
constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMs = 1'000'000;

Options Restarting(RestartWhen when, int max, absl::Duration window) {
  Options options;
  options.restart = when;
  options.restart_max = max;
  options.restart_window = window;
  return options;
}
ProgramEnd Exit(int code) { return {.code = code}; }
ProgramEnd Killed(int signal) { return {.signal = signal}; }
ProgramEnd Deadlock() { return {.signal = SIGKILL, .deadlocked = true}; }

TEST(SelfRestartTest, HistoryIsWhatMakesSense) {
  EXPECT_EQ(SelfRestart::ParseHistory("3,1,2", 10), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(SelfRestart::ParseHistory("11,x,-1,,99999999999999999999,7", 10),
            (std::vector<uint64_t>{7}));  // not before it happened
  EXPECT_TRUE(SelfRestart::ParseHistory("", 10).empty());
}

TEST(RestartPolicyTest, RestartsOfAnEarlierLifeCount) {
  RestartPolicy policy(Restarting(RestartWhen::kAlways, 2, absl::Minutes(1)));
  policy.Remember({1});
  EXPECT_EQ(policy.OnEnd({}, 2).verdict, RestartPolicy::Verdict::kRestart);
  EXPECT_EQ(policy.history(), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(policy.OnEnd({}, 3).verdict, RestartPolicy::Verdict::kBudgetSpent);
}

TEST(RestartPolicyTest, NeverMeansNever) {
  RestartPolicy policy(Restarting(RestartWhen::kNever, 5, absl::Minutes(1)));
  EXPECT_EQ(policy.OnEnd(Exit(1), 0).verdict, Verdict::kEnd);
  EXPECT_EQ(policy.OnEnd(Deadlock(), 0).verdict, Verdict::kEnd);
  EXPECT_EQ(policy.Remaining(0), -1);
}

TEST(RestartPolicyTest, OnFailureTellsFailuresFromOrderlyEnds) {
  struct {
    ProgramEnd end;
    bool failure;
  } const table[] = {
      {Exit(0), false},        {Exit(1), true},         {Exit(255), true},
      {Killed(SIGSEGV), true}, {Killed(SIGABRT), true}, {Killed(SIGKILL), true},
      {Killed(SIGTERM), false}, {Killed(SIGINT), false}, {Killed(SIGHUP), false},
      {Killed(SIGPIPE), false}, {Deadlock(), true},
  };
  for (const auto& row : table) {
    RestartPolicy policy(Restarting(RestartWhen::kOnFailure, 5, absl::Minutes(1)));
    EXPECT_EQ(policy.OnEnd(row.end, 0).verdict, row.failure ? Verdict::kRestart : Verdict::kEnd)
        << row.end.code << " " << row.end.signal;
  }
}

TEST(RestartPolicyTest, AlwaysMeansAfterSuccessTooButNotAgainstARequestToStop) {
  RestartPolicy policy(Restarting(RestartWhen::kAlways, 5, absl::Minutes(1)));
  EXPECT_EQ(policy.OnEnd(Exit(0), 0).verdict, Verdict::kRestart);
  ProgramEnd stopped = Exit(1);
  stopped.asked_to_stop = true;
  EXPECT_EQ(policy.OnEnd(stopped, 1).verdict, Verdict::kEnd);
}

TEST(RestartPolicyTest, PauseDoublesAndStartsAfreshAfterAQuietWindow) {
  RestartPolicy policy(Restarting(RestartWhen::kAlways, 5, absl::Seconds(10)));
  EXPECT_EQ(policy.OnEnd(Exit(1), 0).at_ns, 100 * kMs);
  EXPECT_EQ(policy.OnEnd(Exit(1), 1 * kSecond).at_ns, 1 * kSecond + 200 * kMs);
  EXPECT_EQ(policy.OnEnd(Exit(1), 2 * kSecond).at_ns, 2 * kSecond + 400 * kMs);
  EXPECT_EQ(policy.OnEnd(Exit(1), 100 * kSecond).at_ns, 100 * kSecond + 100 * kMs);
}

TEST(RestartPolicyTest, PauseIsCappedAtThirtySeconds) {
  RestartPolicy policy(Restarting(RestartWhen::kAlways, 1000, absl::Hours(10)));
  uint64_t delay = 0;
  for (int i = 0; i < 100; ++i) delay = policy.OnEnd(Exit(1), kSecond).at_ns - kSecond;
  EXPECT_EQ(delay, 30 * kSecond);
}

TEST(RestartPolicyTest, BudgetIsSpentAndComesBackWithTime) {
  RestartPolicy policy(Restarting(RestartWhen::kAlways, 2, absl::Seconds(10)));
  EXPECT_EQ(policy.Remaining(0), 2);
  EXPECT_EQ(policy.OnEnd(Deadlock(), 0).number, 1);
  EXPECT_EQ(policy.OnEnd(Deadlock(), 1 * kSecond).number, 2);
  EXPECT_EQ(policy.Remaining(1 * kSecond), 0);
  EXPECT_EQ(policy.OnEnd(Deadlock(), 2 * kSecond).verdict, Verdict::kBudgetSpent);
  EXPECT_EQ(policy.Remaining(10 * kSecond), 1);  // the first has left the window
}

TEST(RestartPolicyTest, NoRestartsAllowedIsABudgetSpentAtOnce) {
  RestartPolicy policy(Restarting(RestartWhen::kAlways, 0, absl::Seconds(10)));
  EXPECT_EQ(policy.OnEnd(Exit(1), 0).verdict, Verdict::kBudgetSpent);
}

TEST(RestartPolicyTest, NoWindowMeansNoLimit) {
  RestartPolicy policy(Restarting(RestartWhen::kAlways, 1, absl::ZeroDuration()));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(policy.OnEnd(Exit(1), 0).verdict, Verdict::kRestart);
  }
  EXPECT_EQ(policy.Remaining(0), -1);
}

TEST(RestartPolicyTest, ReasonsAreTheMetricsLabels) {
  RestartPolicy policy(Restarting(RestartWhen::kAlways, 9, absl::Seconds(10)));
  EXPECT_STREQ(policy.OnEnd(Deadlock(), 0).reason, "deadlock");
  EXPECT_STREQ(policy.OnEnd(Killed(SIGSEGV), 0).reason, "crash");
  EXPECT_STREQ(policy.OnEnd(Exit(0), 0).reason, "exit");
}

// Keeps every restart for ever and counts by looking at all of them.
struct NaivePolicy {
  int max;
  uint64_t window_ns;
  std::vector<uint64_t> restarts;
  bool Restart(uint64_t now) {
    int recent = 0;
    for (uint64_t then : restarts) recent += then + window_ns > now ? 1 : 0;
    if (recent >= max) return false;
    restarts.push_back(now);
    return true;
  }
};

TEST(RestartPolicyTest, AgreesWithItsNaiveTwinOnRandomHistories) {
  std::mt19937_64 random(42);
  for (int run = 0; run < 200; ++run) {
    const int max = static_cast<int>(random() % 6);
    const uint64_t window_s = 1 + random() % 20;
    RestartPolicy policy(
        Restarting(RestartWhen::kAlways, max, absl::Seconds(static_cast<int64_t>(window_s))));
    NaivePolicy twin{max, window_s * kSecond, {}};
    uint64_t now = random() % kSecond;
    for (int i = 0; i < 100; ++i) {
      now += random() % (5 * kSecond);
      const auto decision = policy.OnEnd(Exit(1), now);
      ASSERT_EQ(decision.verdict == Verdict::kRestart, twin.Restart(now));
      if (decision.verdict == Verdict::kRestart) {
        EXPECT_GT(decision.at_ns, now);
      }
    }
  }
}

}  // namespace
}  // namespace lockwarden
