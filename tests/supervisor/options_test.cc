// Options and command line: every key, every way to write one, every way to get it wrong.
#include "watchdog/options.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "watchdog/command_line.h"

namespace lockwarden {
namespace {

absl::StatusOr<Options> FromCommandLine(std::vector<std::string> args) {
  args.insert(args.begin(), "run");
  args.insert(args.end(), {"--", "program"});
  const auto line = ParseCommandLine(args);
  if (!line.ok()) return line.status();
  return ResolveOptions({}, line->settings, "/here");
}

TEST(OptionsTest, DefaultsAreThoseOfTheTestProfile) {
  const auto options = FromCommandLine({});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->profile, Profile::kTest);
  EXPECT_EQ(options->on_deadlock, DeadlockAction::kAbort);
  EXPECT_EQ(options->restart, RestartWhen::kNever);
  EXPECT_EQ(options->restart_max, 5);
  EXPECT_EQ(options->exitcode, 66);
  EXPECT_EQ(options->metrics, "");
  EXPECT_EQ(options->incidents, "/here/lockwarden-incidents");
}

TEST(OptionsTest, ProductionProfileOnlyReportsUnlessToldOtherwise) {
  EXPECT_EQ(FromCommandLine({"--profile=production"})->on_deadlock, DeadlockAction::kReport);
  EXPECT_EQ(FromCommandLine({"--profile=production", "--on_deadlock=abort"})->on_deadlock,
            DeadlockAction::kAbort);
  // The order on the command line makes no difference.
  EXPECT_EQ(FromCommandLine({"--on_deadlock=dump", "--profile=production"})->on_deadlock,
            DeadlockAction::kDump);
}

TEST(OptionsTest, RestartOnDeadlockImpliesRestartOnFailureUnlessRestartWasGiven) {
  EXPECT_EQ(FromCommandLine({"--on_deadlock=restart"})->restart, RestartWhen::kOnFailure);
  EXPECT_EQ(FromCommandLine({"--on_deadlock=restart", "--restart=always"})->restart,
            RestartWhen::kAlways);
  EXPECT_EQ(FromCommandLine({"--on_deadlock=restart", "--restart=never"})->restart,
            RestartWhen::kNever);
}

TEST(OptionsTest, KeyValueSpaceAndHyphensMeanTheSame) {
  for (const auto& args : std::vector<std::vector<std::string>>{
           {"--restart_delay=200ms"},
           {"--restart-delay=200ms"},
           {"--restart_delay", "200ms"},
           {"--restart-delay", "200ms"}}) {
    const auto options = FromCommandLine(args);
    ASSERT_TRUE(options.ok()) << options.status();
    EXPECT_EQ(options->restart_delay, absl::Milliseconds(200));
  }
}

TEST(OptionsTest, OnFailureMayBeWrittenWithAnUnderscore) {
  EXPECT_EQ(FromCommandLine({"--restart=on_failure"})->restart, RestartWhen::kOnFailure);
}

TEST(OptionsTest, CommandLineBeatsEnvironment) {
  const auto options = ResolveOptions({{"format", "json"}, {"exitcode", "7"}},
                                      {{"format", "text"}}, "/");
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->format, ReportFormat::kText);
  EXPECT_EQ(options->exitcode, 7);
}

TEST(OptionsTest, RelativePathsBecomeAbsoluteAndAreShownAsTheyWereWritten) {
  const auto options = FromCommandLine({"--incidents=in/cidents", "--report=r.txt"});
  EXPECT_EQ(options->incidents, "/here/in/cidents");
  EXPECT_EQ(options->incidents_shown, "in/cidents");
  EXPECT_EQ(options->report, "/here/r.txt");
  EXPECT_EQ(FromCommandLine({"--report=/abs"})->report, "/abs");
  EXPECT_EQ(FromCommandLine({"--report=stderr"})->report, "");
}

TEST(OptionsTest, MistakesAreOneLineThatNamesTheKey) {
  const std::map<std::string, std::string> cases = {
      {"--restrat=never", "unknown option --restrat (did you mean --restart?)"},
      {"--on-deadlok=abort", "unknown option --on-deadlok (did you mean --on_deadlock?)"},
      {"--frobnicate=1", "unknown option --frobnicate; see lockwarden --help"},
      {"--=1", "unknown option --; see lockwarden --help"},
      {"--restart=maybe", "--restart=maybe: must be one of never, on-failure, always"},
      {"--restart=", "--restart=: must be one of never, on-failure, always"},
      {"--restart_delay=5",
       "--restart_delay=5: must be a duration with its unit, such as 200ms, 5s or 2m"},
      {"--restart_delay=-5s",
       "--restart_delay=-5s: must be a duration with its unit, such as 200ms, 5s or 2m"},
      {"--restart_window=inf",
       "--restart_window=inf: must be a duration with its unit, such as 200ms, 5s or 2m"},
      {"--restart_max=-1", "--restart_max=-1: must be a number from 0 to 1000000"},
      {"--restart_max=2x", "--restart_max=2x: must be a number from 0 to 1000000"},
      {"--exitcode=256", "--exitcode=256: must be a number from 0 to 255"},
      {"--format=xml", "--format=xml: must be one of text, json"},
      {"--incidents=", "--incidents=: must name a directory"},
      {"--report=", "--report=: must be stderr or name a file"},
      {"-r", "unknown option -r; options are written --key=value"},
  };
  for (const auto& [argument, message] : cases) {
    const auto options = FromCommandLine({argument});
    ASSERT_FALSE(options.ok()) << argument;
    EXPECT_EQ(options.status().message(), message);
  }
}

TEST(OptionsTest, VariableTakesCommasSpacesAndQuotes) {
  const auto settings =
      ParseOptionsVariable(" profile=production,, report=\"a b,c.txt\" incidents='d \"e' \n");
  ASSERT_TRUE(settings.ok()) << settings.status();
  ASSERT_EQ(settings->size(), 3u);
  EXPECT_EQ((*settings)[0].value, "production");
  EXPECT_EQ((*settings)[1].key, "report");
  EXPECT_EQ((*settings)[1].value, "a b,c.txt");
  EXPECT_EQ((*settings)[2].value, "d \"e");
}

TEST(OptionsTest, VariableWithoutFormIsRefused) {
  for (const char* text : {"profile", "=x", "profile=test,loud", "report=\"a", "report=\"a\"b"}) {
    EXPECT_FALSE(ParseOptionsVariable(text).ok()) << text;
  }
  EXPECT_TRUE(ParseOptionsVariable("").ok());
}

TEST(OptionsTest, VariableSurvivesEveryRandomText) {
  std::mt19937 random(20240501);
  const std::string letters = "ab=\"', \n_-";
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (size_t n = random() % 12; n > 0; --n) text += letters[random() % letters.size()];
    const auto settings = ParseOptionsVariable(text);
    if (!settings.ok()) continue;
    for (const Setting& setting : *settings) {
      EXPECT_FALSE(setting.key.empty()) << text;
      EXPECT_NE(text.find(setting.value), std::string::npos) << text;
    }
  }
}

TEST(OptionsTest, ASwitchNeedsNoValueAndTakesNoWord) {
  EXPECT_FALSE(FromCommandLine({})->verbose);
  EXPECT_TRUE(FromCommandLine({"--verbose"})->verbose);
  EXPECT_TRUE(FromCommandLine({"--verbose=yes", "--exitcode=1"})->verbose);
  EXPECT_FALSE(FromCommandLine({"--verbose=no"})->verbose);
  EXPECT_FALSE(FromCommandLine({"--verbose=maybe"}).ok());
  const auto line = ParseCommandLine({"run", "--verbose", "program", "argument"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->program, (std::vector<std::string>{"program", "argument"}));
}

TEST(OptionsTest, ClassesArePredictedOnRequest) {
  EXPECT_EQ(FromCommandLine({})->predict, Predict::kLocks);
  EXPECT_EQ(FromCommandLine({"--predict=joins"})->predict, Predict::kJoins);
  EXPECT_EQ(FromCommandLine({"--predict=classes"})->predict, Predict::kClasses);
  EXPECT_FALSE(FromCommandLine({"--predict=both"}).ok());
}

TEST(OptionsTest, FilesBecomeAbsolute) {
  const auto options =
      FromCommandLine({"--suppressions=s", "--baseline=/b", "--write-baseline", "w"});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->suppressions, "/here/s");
  EXPECT_EQ(options->baseline, "/b");
  EXPECT_EQ(options->write_baseline, "/here/w");
  EXPECT_EQ(FromCommandLine({"--lock-graph=g"})->lock_graph, "/here/g");
  EXPECT_FALSE(FromCommandLine({"--baseline="}).ok());
}

TEST(OptionsTest, HelpNamesEveryKeyAndItsDefault) {
  const std::string help = HelpText();
  for (const OptionKey& key : OptionKeys()) {
    const std::string line =
        std::string("--") + key.name + "=" + key.syntax + "  (default: " + key.default_value + ")";
    EXPECT_NE(help.find(line), std::string::npos) << line;
  }
}

TEST(OptionsTest, DefaultsInTheTableAreTheDefaultsInTheCode) {
  for (const OptionKey& key : OptionKeys()) {
    const std::string value = std::string(key.default_value).substr(
        0, std::string(key.default_value).find(';'));
    const auto given = ResolveOptions({}, {{key.name, value}}, "/");
    const auto untouched = ResolveOptions({}, {}, "/");
    ASSERT_TRUE(given.ok()) << key.name << ": " << given.status();
    EXPECT_EQ(given->profile, untouched->profile);
    EXPECT_EQ(given->on_deadlock, untouched->on_deadlock);
    EXPECT_EQ(given->restart, untouched->restart);
    EXPECT_EQ(given->restart_delay, untouched->restart_delay);
    EXPECT_EQ(given->restart_max, untouched->restart_max);
    EXPECT_EQ(given->restart_window, untouched->restart_window);
    EXPECT_EQ(given->metrics, untouched->metrics);
    EXPECT_EQ(given->incidents_shown, untouched->incidents_shown);
    EXPECT_EQ(given->report, untouched->report);
    EXPECT_EQ(given->format, untouched->format);
    EXPECT_EQ(given->stacks, untouched->stacks);
    EXPECT_EQ(given->exitcode, untouched->exitcode);
    EXPECT_EQ(given->verbose, untouched->verbose);
  }
}

TEST(CommandLineTest, ProgramBeginsBehindTwoHyphensOrAtTheFirstOtherWord) {
  EXPECT_EQ(ParseCommandLine({"run", "--", "a", "--b"})->program,
            (std::vector<std::string>{"a", "--b"}));
  EXPECT_EQ(ParseCommandLine({"run", "a", "--b=c"})->program,
            (std::vector<std::string>{"a", "--b=c"}));
  EXPECT_EQ(ParseCommandLine({"run", "--format=json", "a", "--", "b"})->program,
            (std::vector<std::string>{"a", "--", "b"}));
  EXPECT_TRUE(ParseCommandLine({"run", "--"})->program.empty());
}

TEST(CommandLineTest, WhatIsAskedForIsRecognised) {
  using What = CommandLine::What;
  EXPECT_EQ(ParseCommandLine({})->what, What::kNothing);
  EXPECT_EQ(ParseCommandLine({"--help"})->what, What::kHelp);
  EXPECT_EQ(ParseCommandLine({"run", "--help"})->what, What::kHelp);
  EXPECT_EQ(ParseCommandLine({"--version"})->what, What::kVersion);
  EXPECT_EQ(ParseCommandLine({"run", "x"})->what, What::kRun);
  EXPECT_EQ(ParseCommandLine({"report", "x", "-y"})->arguments,
            (std::vector<std::string>{"x", "-y"}));
  EXPECT_EQ(ParseCommandLine({"report", "--help"})->help_on, "report");
  EXPECT_EQ(ParseCommandLine({"report", "--", "--help"})->what, What::kReport);
  EXPECT_FALSE(ParseCommandLine({"ruin"}).ok());
  EXPECT_FALSE(ParseCommandLine({"--format=json"}).ok());
}

TEST(CommandLineTest, OptionWithoutItsValueIsOneLine) {
  EXPECT_EQ(ParseCommandLine({"run", "--format"}).status().message(), "--format needs a value");
  EXPECT_EQ(ParseCommandLine({"run", "--format", "--", "x"}).status().message(),
            "--format needs a value");
  EXPECT_EQ(ParseCommandLine({"run", "--fromat"}).status().message(),
            "unknown option --fromat (did you mean --format?)");
}

// The definition, without the table: exponential, for short words.
size_t NaiveDistance(absl::string_view a, absl::string_view b) {
  if (a.empty() || b.empty()) return a.size() + b.size();
  if (a[0] == b[0]) return NaiveDistance(a.substr(1), b.substr(1));
  return 1 + std::min({NaiveDistance(a.substr(1), b), NaiveDistance(a, b.substr(1)),
                       NaiveDistance(a.substr(1), b.substr(1))});
}

TEST(EditDistanceTest, AgreesWithItsDefinition) {
  std::mt19937 random(7);
  const auto word = [&random] {
    std::string text;
    for (size_t n = random() % 7; n > 0; --n) text += static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int i = 0; i < 2000; ++i) {
    const std::string a = word(), b = word();
    ASSERT_EQ(EditDistance(a, b), NaiveDistance(a, b)) << a << " " << b;
  }
}

}  // namespace
}  // namespace lockwarden
