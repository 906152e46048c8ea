// LOCKWARDEN_OPTIONS and LOCKWARDEN_SOCKET: what the recorder takes from them, and one clear
// line for each thing that it cannot.
#include "runtime/settings.h"

#include <gtest/gtest.h>

#include <string>

#include "runtime/notice.h"

namespace lockwarden::ledger {
namespace {

class SettingsTest : public testing::Test {
 protected:
  // Parses, and keeps what was said on standard error.
  Settings Parse(const char* options, const char* socket = nullptr) {
    testing::internal::CaptureStderr();
    RememberStandardError();  // lines go to the one that the image began with
    const Settings settings = ParseSettings(options, socket);
    said_ = testing::internal::GetCapturedStderr();
    return settings;
  }
  std::string said_;
};

TEST_F(SettingsTest, NothingSetMeansProductionWithFullStacksAndNobodyToTell) {
  for (const char* options : {static_cast<const char*>(nullptr), "", " ,,\t\n "}) {
    const Settings settings = Parse(options);
    EXPECT_FALSE(settings.order);
    EXPECT_EQ(settings.stacks, StackMode::kFull);
    EXPECT_STREQ(settings.token, "");
    EXPECT_EQ(said_, "");
  }
}

TEST_F(SettingsTest, KeysAreSeparatedByCommasOrSpaces) {
  for (const char* options : {"profile=test,stacks=off", "profile=test stacks=off",
                              " ,profile=test ,\n\tstacks=off,"}) {
    const Settings settings = Parse(options);
    EXPECT_TRUE(settings.order) << options;
    EXPECT_EQ(settings.stacks, StackMode::kOff) << options;
    EXPECT_EQ(said_, "") << options;
  }
}

TEST_F(SettingsTest, OrderIsRecordedWhereItIsPredictedFrom) {
  EXPECT_TRUE(Parse("profile=test").order);
  EXPECT_EQ(Parse("").order_choice, OrderChoice::kNotGiven);
  EXPECT_EQ(Parse("order=off").order_choice, OrderChoice::kOff);
  EXPECT_EQ(Parse("order=report").order_choice, OrderChoice::kReport);
  EXPECT_EQ(Parse("order=throw").order_choice, OrderChoice::kThrow);
  EXPECT_EQ(Parse("order=abort").order_choice, OrderChoice::kAbort);
  EXPECT_FALSE(Parse("profile=production").order);
  EXPECT_FALSE(Parse("").order);
}

TEST_F(SettingsTest, EachValueOfStacksIsKnown) {
  EXPECT_EQ(Parse("stacks=full").stacks, StackMode::kFull);
  EXPECT_EQ(Parse("stacks=site").stacks, StackMode::kSite);
  EXPECT_EQ(Parse("stacks=off").stacks, StackMode::kOff);
}

TEST_F(SettingsTest, TheLastOfTwoValuesCounts) {
  EXPECT_EQ(Parse("stacks=off,stacks=site").stacks, StackMode::kSite);
}

TEST_F(SettingsTest, QuotesKeepSeparatorsInAValue) {
  for (const char* options : {"incidents=\"/a dir, b\",stacks=off", "incidents='/a dir, b' stacks=off",
                              "stacks='off'", "stacks=\"off\""}) {
    EXPECT_EQ(Parse(options).stacks, StackMode::kOff) << options;
    EXPECT_EQ(said_, "") << options;
  }
}

TEST_F(SettingsTest, AQuoteThatIsNeverClosedEndsWithTheText) {
  EXPECT_EQ(Parse("stacks='off").stacks, StackMode::kOff);
  EXPECT_EQ(Parse("incidents=\"/a,stacks=off").stacks, StackMode::kFull);
}

TEST_F(SettingsTest, HyphensInAKeyAreUnderscores) {
  Parse("on-deadlock=report,restart-delay=2s,restart_max=3");
  EXPECT_EQ(said_, "");
}

TEST_F(SettingsTest, KeysOfTheSupervisorAreLeftToIt) {
  Parse("on_deadlock=abort,restart=always,restart_delay=1s,restart_max=2,restart_window=1m,"
        "metrics=127.0.0.1:1,incidents=x,report=stderr,format=json,exitcode=3");
  EXPECT_EQ(said_, "");
}

TEST_F(SettingsTest, AnUnknownKeyIsOneLine) {
  EXPECT_EQ(Parse("stakcs=off,stacks=site").stacks, StackMode::kSite);
  EXPECT_EQ(said_, "lockwarden: LOCKWARDEN_OPTIONS: unknown key stakcs; "
                   "LOCKWARDEN_OPTIONS=help lists them\n");
}

TEST_F(SettingsTest, ABadValueIsOneLineAndTheDefaultStays) {
  EXPECT_EQ(Parse("stacks=deep").stacks, StackMode::kFull);
  EXPECT_EQ(said_, "lockwarden: LOCKWARDEN_OPTIONS: bad value for stacks: deep\n");
  EXPECT_FALSE(Parse("profile").order);
  EXPECT_EQ(said_, "lockwarden: LOCKWARDEN_OPTIONS: bad value for profile: \n");
  EXPECT_FALSE(Parse("profile=").order);
  EXPECT_FALSE(Parse("profile=tes").order);
  EXPECT_FALSE(Parse("profile=testing").order);
}

TEST_F(SettingsTest, HelpListsEveryKey) {
  Parse("help");
  for (const char* key : {"profile\t", "stacks\t", "on_deadlock\t", "exitcode\t", "metrics\t"}) {
    EXPECT_NE(said_.find(key), std::string::npos) << key;
  }
}

TEST_F(SettingsTest, OddTextsAreNotCrashedOver) {
  for (const char* options : {"=", "==", "=,=", "=off", "a=\"", "\"", "'", ",=,'", "stacks=''"}) Parse(options);
}

constexpr char kToken[] = "0123456789abcdef0123456789abcdef";

TEST_F(SettingsTest, TheSocketIsATokenAndAPath) {
  const Settings settings = Parse(nullptr, (std::string(kToken) + ":/run/a:b").c_str());
  EXPECT_STREQ(settings.token, kToken);
  EXPECT_STREQ(settings.socket_path, "/run/a:b");
}

TEST_F(SettingsTest, ASocketOfAnotherFormIsNoSocket) {
  const std::string token = kToken;
  for (const std::string& socket :
       {std::string(), token, ":" + token, token + "0:/a", token.substr(1) + ":/a",
        token + ":/" + std::string(107, 'x')}) {
    const Settings settings = Parse(nullptr, socket.c_str());
    EXPECT_STREQ(settings.token, "") << socket;
    EXPECT_STREQ(settings.socket_path, "") << socket;
  }
}

TEST_F(SettingsTest, TheLongestPathOfASocketFits) {
  const std::string path(107, 'x');
  EXPECT_EQ(Parse(nullptr, (std::string(kToken) + ":" + path).c_str()).socket_path, path);
}

}  // namespace
}  // namespace lockwarden::ledger
