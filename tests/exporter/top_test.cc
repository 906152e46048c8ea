// What `lockwarden top` makes of statuses and keys, without a terminal.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "exporter/top/top_screen.h"
#include "exporter/top/top_tables.h"
#include "watchdog/top_command.h"

namespace lockwarden {
namespace {

// Two threads in a deadlock, a reader, and a thread that joins.
constexpr char kStatus[] = R"({
  "program": "server", "running": true, "recorded": true, "not_answering": "deadlocked",
  "deadlocked_threads": 2, "deadlock_cycles": 1, "threads_total": 7, "locks_tracked": 3,
  "time": 1000.5,
  "processes": [{"pid": 41, "main": false}, {"pid": 40, "main": true}],
  "locks": [{"pid": 40, "label": "mutex 1", "kind": "mutex", "class": "Transfer bank.cc:1"},
            {"pid": 40, "label": "mutex 2", "kind": "mutex", "class": ""},
            {"pid": 40, "label": "rwlock 3", "kind": "rwlock", "class": ""}],
  "threads": [
    {"pid": 40, "tid": 51, "name": "one", "deadlocked": true,
     "holds": [{"lock": 0, "mode": "exclusive", "since": 990, "where": "a"}],
     "waits": {"mode": "exclusive", "timed": false, "since": 998.5, "where": "b", "lock": 1}},
    {"pid": 40, "tid": 52, "name": "two", "deadlocked": true,
     "holds": [{"lock": 1, "mode": "exclusive", "since": 990, "where": "c"}],
     "waits": {"mode": "exclusive", "timed": false, "since": 880.5, "where": "d", "lock": 0}},
    {"pid": 40, "tid": 53, "name": "reader", "deadlocked": false,
     "holds": [{"lock": 2, "mode": "shared", "since": 1, "where": "e"}]},
    {"pid": 40, "tid": 54, "name": "joiner\u001b[2J", "deadlocked": false, "holds": [],
     "waits": {"mode": "join", "timed": true, "since": 1000, "where": "f", "joins": 51}}],
  "classes": [
    {"class": "Transfer bank.cc:1", "acquisitions": 1000, "contentions": 10, "wait_seconds": 2.5,
     "hold_seconds": 1, "waiters": 2},
    {"class": "idle", "acquisitions": 0, "contentions": 0, "wait_seconds": 0, "hold_seconds": 0},
    {"class": "busy", "acquisitions": 9000, "contentions": 900, "wait_seconds": 0.5,
     "hold_seconds": 3}]
})";

TopData Data() {
  auto program = ParseTopProgram(kStatus);
  EXPECT_TRUE(program.has_value());
  return {*program};
}

std::string Text(const std::vector<ScreenLine>& lines) {
  std::string text;
  for (const ScreenLine& line : lines) absl::StrAppend(&text, line.text, "\n");
  return text;
}

TEST(TopDataTest, AWaitNamesTheLockItsOwnerAndHowLong) {
  const TopProgram program = Data()[0];
  ASSERT_EQ(program.waiting_or_holding.size(), 4u);
  const TopThread& one = program.waiting_or_holding[0];
  EXPECT_EQ(one.waits_for, "mutex 2");
  EXPECT_EQ(one.owner, "two (52)");
  EXPECT_EQ(one.blocked_seconds, 2);
  EXPECT_EQ(one.holds, std::vector<std::string>{"mutex 1 (Transfer bank.cc:1)"});
  EXPECT_EQ(program.waiting_or_holding[3].waits_for, "thread 51");
  EXPECT_EQ(program.pids[0], 40u) << "the program before what it started";
}

TEST(TopDataTest, WhatMakesNoSenseIsLeftOutAndNoNameReachesTheTerminalRaw) {
  EXPECT_FALSE(ParseTopProgram("").has_value());
  EXPECT_FALSE(ParseTopProgram("[1]").has_value());
  EXPECT_FALSE(ParseTopProgram(std::string(100'000, '[')).has_value());
  const auto odd = ParseTopProgram(
      R"({"threads": [1, {"holds": {"lock": 7}, "waits": {"lock": 99, "since": "x"}},
          {"holds": [{"lock": 18446744073709551615}], "waits": 3}], "classes": 5, "locks": [0]})");
  ASSERT_TRUE(odd.has_value());
  EXPECT_EQ(odd->waiting_or_holding.size(), 2u);
  EXPECT_FALSE(absl::StrContains(PlainText(Data(), {}), "\x1b"));
}

TEST(TopDataTest, RatesComeFromTwoStatusesAndNeverGoBelowZero) {
  TopProgram before = Data()[0], now = before;
  now.time_seconds += 2;
  now.classes[0].acquisitions += 500;
  now.classes[0].wait_seconds += 1;
  now.classes[2].acquisitions = 3;  // begun anew
  FillRates(before, &now);
  EXPECT_EQ(now.classes[0].acquisition_rate, 250);
  EXPECT_EQ(now.classes[0].wait_rate, 0.5);
  EXPECT_EQ(now.classes[2].acquisition_rate, 0);
}

TEST(TopScreenTest, ADeadlockStandsOnTopInRedWithItsCycle) {
  const auto lines = Screen(Data(), {}, "12:00:00", 80, 24);
  ASSERT_EQ(lines.size(), 24u);
  EXPECT_TRUE(absl::StartsWith(lines[1].text, "server (pid 40): DEADLOCK: 2 threads stuck"));
  EXPECT_EQ(lines[1].style, Style::kAlarm);
  EXPECT_TRUE(
      absl::StartsWith(lines[2].text, "  one (51) has waited 2.0s for mutex 2, held by two"));
  EXPECT_TRUE(absl::StrContains(lines[0].text, "12:00:00"));
  // And its threads come first in the list, the one that waits longest before the other.
  EXPECT_TRUE(absl::StrContains(lines[5].text, "two             DEADLOCK      2m")) << Text(lines);
  EXPECT_EQ(lines[5].style, Style::kAlarm);
}

TEST(TopScreenTest, NoLineIsEverWiderOrMoreThanThereIsRoomFor) {
  for (const size_t width : {1, 2, 10, 40, 80, 200}) {
    for (const size_t height : {1, 2, 3, 5, 10, 24, 60}) {
      for (const bool help : {false, true}) {
        TopState state;
        state.help = help;
        const auto lines = Screen(Data(), state, "12:00:00", width, height);
        EXPECT_LE(lines.size(), height);
        for (const ScreenLine& line : lines) EXPECT_LE(line.text.size(), width) << line.text;
      }
    }
  }
}

TEST(TopScreenTest, KeysSortFilterFreezeAndTurnTheView) {
  const TopData data = {Data()[0], Data()[0]};
  TopState state;
  Press('f', data, &state);
  EXPECT_TRUE(state.frozen);
  EXPECT_TRUE(absl::StrContains(Text(Screen(data, state, "", 80, 24)), "FROZEN"));
  Press('/', data, &state);
  for (const char key : std::string("rwlocq")) Press(key, data, &state);
  EXPECT_FALSE(state.quit) << "it was typed";
  Press(TopKey::kBackspace, &state);
  Press(TopKey::kEnter, &state);
  EXPECT_EQ(ThreadTable(data, state).rows.size(), 2u);
  EXPECT_EQ(ThreadTable(data, state).rows[0].cells[2], "reader");
  Press(TopKey::kEscape, &state);
  EXPECT_EQ(ThreadTable(data, state).rows.size(), 8u);
  Press('p', data, &state);
  EXPECT_EQ(ThreadTable(data, state).rows.size(), 4u);
  EXPECT_EQ(ClassTable(data, state).rows.size(), 2u) << "one was never used";
  EXPECT_EQ(ClassTable(data, state).rows[0].cells[0], "Transfer bank.cc:1");
  Press('\t', data, &state);
  Press('s', data, &state);  // by contention
  EXPECT_EQ(ClassTable(data, state).rows[0].cells[0], "busy");
  Press('\t', data, &state);
  for (int i = 0; i < 2; ++i) Press('s', data, &state);  // by name
  EXPECT_EQ(ThreadTable(data, state).rows[1].cells[2], "one");
  Press('h', data, &state);
  EXPECT_TRUE(absl::StrContains(Text(Screen(data, state, "", 80, 24)), "quit"));
  Press('q', data, &state);
  EXPECT_FALSE(state.quit) << "any key ends the help";
  Press('q', data, &state);
  EXPECT_TRUE(state.quit);
}

TEST(TopScreenTest, ScrollingEndsAtTheEndsAndComesBack) {
  TopState state;
  const TopData data = Data();
  Press(TopKey::kEnd, &state);
  const std::string end = Text(Screen(data, state, "", 80, 12));
  EXPECT_TRUE(absl::StrContains(end, "PID")) << "the heading stays";
  Press(TopKey::kHome, &state);
  Press(TopKey::kUp, &state);
  EXPECT_EQ(state.scroll, 0u);
}

TEST(TopScreenTest, PlainTextHasAllOfItUncut) {
  const std::string text = PlainText(Data(), {});
  EXPECT_TRUE(absl::StrContains(text, "mutex 1 (Transfer bank.cc:1)")) << text;
  EXPECT_TRUE(absl::StrContains(text, "waits*")) << text;
  EXPECT_TRUE(absl::StrContains(PlainText({}, {}), "nothing to look at"));
}

TEST(TopScreenTest, TimesAreShort) {
  EXPECT_EQ(ShortTime(0), "0");
  EXPECT_EQ(ShortTime(12e-6), "12us");
  EXPECT_EQ(ShortTime(0.9999), "999ms");
  EXPECT_EQ(ShortTime(59.94), "59.9s");
  EXPECT_EQ(ShortTime(600), "10m");
  EXPECT_EQ(ShortTime(7200), "2h");
  for (double seconds = 1e-9; seconds < 1e12; seconds *= 3) {
    EXPECT_LE(ShortTime(seconds).size(), 6u) << seconds;
  }
  EXPECT_EQ(Fit("abc", 5), "abc  ");
  EXPECT_EQ(Fit("abcdef", 4), "abc>");
  EXPECT_EQ(Fit("\xc3\xa4\xc3\xb6\xc3\xbc", 2), "\xc3\xa4>");
}

TEST(TopRequestTest, OnePidAndTwoOptions) {
  EXPECT_EQ(ParseTop({"--plain", "42"})->pid, 42);
  EXPECT_EQ(ParseTop({"--every=200ms"})->every, absl::Milliseconds(200));
  for (const char* wrong : {"x", "-1", "0", "--every=1", "--every=1ms", "--color"}) {
    EXPECT_FALSE(ParseTop({wrong}).ok()) << wrong;
  }
  EXPECT_FALSE(ParseTop({"1", "2"}).ok());
}

}  // namespace
}  // namespace lockwarden
