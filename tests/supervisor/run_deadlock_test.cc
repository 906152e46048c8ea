// What `lockwarden run` does about a deadlock: report, abort, restart, and the code it ends with.
#include <csignal>

#include "run_fixture.h"

namespace lockwarden {
namespace {

class DeadlockTest : public RunTest {};

TEST_F(DeadlockTest, IsCaughtInAProgramThatGaveUpItsPrivileges) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has privileges to give up";
  const ProcessResult result =
      Run({}, {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", TEST_PROGRAM,
               "deadlock"});
  EXPECT_EQ(result.code, 66) << result.err;
}

TEST_F(DeadlockTest, IsCaughtByASupervisorWithoutPrivileges) {
  if (geteuid() != 0) GTEST_SKIP() << "every other test is run without them";
  const ProcessResult result =
      RunProcess({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                  LOCKWARDEN_COMMAND, "run", "--", TEST_PROGRAM, "deadlock"});
  if (result.code == 127) GTEST_SKIP() << "nobody may not enter the build directory";
  EXPECT_EQ(result.code, 66) << result.err;
}

TEST_F(DeadlockTest, IsReportedAbortedAndAnsweredWith66) {
  const ProcessResult result = Run({}, Program("deadlock"));
  EXPECT_EQ(result.code, 66) << result.err;
  EXPECT_EQ(result.err.rfind("lockwarden: DEADLOCK: 2 threads, 2 locks (pid ", 0), 0u)
      << result.err;
  EXPECT_TRUE(HasLine(result.err, "lockwarden: 1 finding (1 deadlock), incidents in " +
                                      directory_.File("incidents")))
      << result.err;
  EXPECT_EQ(Incidents(), 1u);
}

TEST_F(DeadlockTest, InProductionTheAbortIsTheProgramsEnd) {
  const ProcessResult result =
      Run({"--profile=production", "--on_deadlock=abort"}, Program("deadlock"));
  EXPECT_EQ(result.signal, SIGABRT) << result.err;
}

TEST_F(DeadlockTest, InProductionItIsReportedAndLeftAlone) {
  RunningProcess run(Command({"--profile=production"}, Program("deadlock")));
  ASSERT_TRUE(run.WaitForErr("lockwarden: DEADLOCK: "));
  kill(run.pid(), SIGTERM);
  EXPECT_EQ(run.Wait().signal, SIGTERM);
}

TEST_F(DeadlockTest, AbortThatIsIgnoredIsFollowedByAKill) {
  const ProcessResult result = Run({}, Program("deadlock-ignoring-abort"));
  EXPECT_EQ(result.code, 66) << result.err;
  EXPECT_FALSE(result.late);
}

TEST_F(DeadlockTest, AbortThatIsAnsweredWithACodeGivesThatCode) {
  EXPECT_EQ(Run({}, Program("deadlock-catching-abort")).code, 9);
}

TEST_F(DeadlockTest, RestartsOnceAndThenGivesUp) {
  const ProcessResult result =
      Run({"--on_deadlock=restart", "--restart_max=1", "--restart_delay=1ms"}, Program("deadlock"));
  EXPECT_EQ(result.code, 69) << result.err;
  EXPECT_TRUE(HasLine(result.err,
                      "lockwarden: restarting " TEST_PROGRAM " (1 of 1) after a deadlock"))
      << result.err;
  EXPECT_TRUE(HasLine(result.err, "lockwarden: giving up on " TEST_PROGRAM
                                  " after a deadlock: restart_max=1 within restart_window=1m is "
                                  "used up"))
      << result.err;
  EXPECT_EQ(Incidents(), 2u);
}

TEST_F(DeadlockTest, SecondLifeThatSucceedsIs66InTestsAnd0InProduction) {
  for (const bool production : {false, true}) {
    const std::string file = directory_.File(production ? "p" : "t");
    const ProcessResult result =
        Run({"--on_deadlock=restart", production ? "--profile=production" : "--profile=test"},
            {TEST_PROGRAM, "deadlock-until", file, "2"});
    EXPECT_EQ(result.code, production ? 0 : 66) << result.err;
  }
}

TEST_F(DeadlockTest, WorkersDeadlockRestartsTheWholeProgram) {
  const std::string file = directory_.File("count");
  const ProcessResult result =
      Run({"--on_deadlock=restart", "--restart_delay=1ms", "--profile=production"},
          Shell(TEST_PROGRAM " deadlock-until " + file + " 2; exit $?"));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_TRUE(HasLine(result.err, "lockwarden: restarting /bin/sh (1 of 5) after a deadlock"))
      << result.err;
}

TEST_F(DeadlockTest, ReportsGoToAFileAsJsonWhenAsked) {
  const std::string report = directory_.File("report");
  const ProcessResult result =
      Run({"--format=json", "--report=" + report}, Program("deadlock"));
  const Strings lines = Lines(ReadFile(report));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("\"kind\":\"deadlock\""), std::string::npos) << lines[0];
  EXPECT_EQ(result.err, "lockwarden: 1 finding (1 deadlock), incidents in " +
                            directory_.File("incidents") + "\n");
}

}  // namespace
}  // namespace lockwarden
