// The environment PROGRAM gets.
#include "watchdog/preload_env.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "run_process.h"

namespace lockwarden {
namespace {

using Strings = std::vector<std::string>;

TEST(PreloadEnvTest, OursComesBeforeAnExistingPreloadAndOnlyOnce) {
  EXPECT_EQ(JoinPreload("/l/ours.so", ""), "/l/ours.so");
  EXPECT_EQ(JoinPreload("/l/ours.so", "libjemalloc.so"), "/l/ours.so:libjemalloc.so");
  EXPECT_EQ(JoinPreload("/l/ours.so", "a.so b.so:c.so"), "/l/ours.so:a.so:b.so:c.so");
  EXPECT_EQ(JoinPreload("/l/ours.so", "a.so:/l/ours.so"), "/l/ours.so:a.so");
}

TEST(PreloadEnvTest, AddressSanitizerStaysFirst) {
  EXPECT_EQ(JoinPreload("/l/ours.so", "/usr/lib/libasan.so.8:a.so"),
            "/usr/lib/libasan.so.8:/l/ours.so:a.so");
  EXPECT_EQ(JoinPreload("/l/ours.so", "libasan.so.8"), "libasan.so.8:/l/ours.so");
}

TEST(PreloadEnvTest, VariablesAreReplacedInPlaceAndTheRestIsUntouched) {
  const Strings before = {"A=1", "LD_PRELOAD=x.so", "LOCKWARDEN_SOCKET=old", "odd", "B=",
                          "LOCKWARDEN_SOCKETS=other"};
  EXPECT_EQ(BuildEnvironment(before, {"/ours.so", "T:P", "profile=test"}),
            (Strings{"A=1", "LD_PRELOAD=/ours.so:x.so", "LOCKWARDEN_SOCKET=T:P", "odd", "B=",
                     "LOCKWARDEN_SOCKETS=other", "LOCKWARDEN_OPTIONS=profile=test"}));
}

TEST(PreloadEnvTest, AddressSanitizersOptionsAreKeptAndAddedTo) {
  EXPECT_EQ(BuildEnvironment({"ASAN_OPTIONS=a=1"}, {"/ours.so", "T:P", "o", true})[0],
            "ASAN_OPTIONS=a=1:verify_asan_link_order=0");
  EXPECT_EQ(BuildEnvironment({}, {"/ours.so", "T:P", "o", true}).back(),
            "ASAN_OPTIONS=verify_asan_link_order=0");
}

TEST(PreloadEnvTest, WithoutALibraryThePreloadStaysAsItIs) {
  EXPECT_EQ(BuildEnvironment({"LD_PRELOAD=x.so"}, {"", "T:P", "o"}),
            (Strings{"LD_PRELOAD=x.so", "LOCKWARDEN_SOCKET=T:P", "LOCKWARDEN_OPTIONS=o"}));
}

TEST(PreloadEnvTest, RecorderIsToldWhatConcernsItAndNothingElse) {
  Options options;
  options.profile = Profile::kProduction;
  options.stacks = StackDetail::kSite;
  options.metrics = "127.0.0.1:9464";
  EXPECT_EQ(RecorderOptions(options), "profile=production,stacks=site");
}

TEST(PreloadEnvTest, LibraryIsFoundRelativeToTheExecutable) {
  const TemporaryDirectory root;
  const std::string bin = root.File("bin");
  ASSERT_EQ(mkdir(bin.c_str(), 0755), 0);
  EXPECT_FALSE(FindPreload(bin).ok());
  WriteFile(bin + "/liblockwarden_preload.so", "");
  EXPECT_EQ(*FindPreload(bin), bin + "/liblockwarden_preload.so");
  ASSERT_EQ(mkdir(root.File("lib").c_str(), 0755), 0);
  WriteFile(root.File("lib/liblockwarden_preload.so"), "");
  EXPECT_EQ(*FindPreload(bin), root.File("lib/liblockwarden_preload.so"));
}

TEST(PreloadEnvTest, PathThatThePreloadVariableCannotCarryIsRefused) {
  const TemporaryDirectory root;
  const std::string bin = root.File("with space");
  ASSERT_EQ(mkdir(bin.c_str(), 0755), 0);
  WriteFile(bin + "/liblockwarden_preload.so", "");
  EXPECT_FALSE(FindPreload(bin).ok());
}

}  // namespace
}  // namespace lockwarden
