// `lockwarden run` as scripts see it: exit codes, signals and lines, from the real command
// on real programs.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <csignal>
#include <filesystem>

#include "run_fixture.h"

namespace lockwarden {
namespace {

TEST_F(RunTest, ExitCodeIsPassedOnAndNothingIsSaid) {
  for (const int code : {0, 1, 3, 66, 69, 255}) {
    const ProcessResult result = Run({}, Shell("exit " + std::to_string(code)));
    EXPECT_EQ(result.code, code);
    EXPECT_EQ(result.err, "");
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.File("incidents")));
}

TEST_F(RunTest, DiesOfTheSameSignal) {
  for (const int signal : {SIGSEGV, SIGTERM, SIGKILL, SIGABRT, SIGPIPE, SIGUSR1, SIGRTMIN}) {
    const ProcessResult result = Run({}, Shell("kill -" + std::to_string(signal) + " $$"));
    EXPECT_EQ(result.signal, signal);
    EXPECT_EQ(result.err, "");
  }
}

TEST_F(RunTest, OutputAndInputAreTheProgramsOwn) {
  const ProcessResult result = Run({}, Shell("echo out; echo err >&2"));
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
}

TEST_F(RunTest, ProgramThatCannotBeStarted) {
  ProcessResult result = Run({}, {"no-such-program"});
  EXPECT_EQ(result.code, 127);
  EXPECT_EQ(result.err, "lockwarden: cannot run no-such-program: No such file or directory\n");

  WriteFile(directory_.File("data"), "no program");
  result = Run({}, {directory_.File("data")});
  EXPECT_EQ(result.code, 126);
  EXPECT_EQ(result.err,
            "lockwarden: cannot run " + directory_.File("data") + ": Permission denied\n");

  result = Run({}, {directory_.path()});
  EXPECT_EQ(result.code, 126);

  const std::string script = directory_.File("script");
  WriteFile(script, "#!/no/such/shell\n");
  chmod(script.c_str(), 0755);
  result = Run({}, {script});
  EXPECT_EQ(result.code, 127);
  EXPECT_EQ(result.err,
            "lockwarden: cannot run " + script + ": its interpreter does not exist\n");
}

TEST_F(RunTest, UsageErrorsAreOneLineAndCode64) {
  const std::string file = directory_.File("file");
  WriteFile(file, "");
  const std::string command = LOCKWARDEN_COMMAND;
  const struct {
    Strings command;
    std::string line;
  } table[] = {
      {{command, "run"},
       "lockwarden: no program to run; usage: lockwarden run [options] -- PROGRAM [ARG...]\n"},
      {{command, "run", "--restrat=never", "--", "true"},
       "lockwarden: unknown option --restrat (did you mean --restart?)\n"},
      {{command, "run", "--restart=sometimes", "--", "true"},
       "lockwarden: --restart=sometimes: must be one of never, on-failure, always\n"},
      {{command, "run", "--report=/nonexistent/r", "--", "true"},
       "lockwarden: cannot write reports to /nonexistent/r: No such file or directory\n"},
      {{command, "run", "--help=1"}, "lockwarden: --help takes no value\n"},
      {{command, "run", "--incidents=/proc/x", "--", "true"},
       "lockwarden: incidents directory /proc/x cannot be used: no directory can be made in "
       "/proc\n"},
      {{command, "run", "--metrics=abc", "--", "true"},
       "lockwarden: metrics address \"abc\": has no port between 0 and 65535\n"},
      {{command, "walk"}, "lockwarden: unknown command walk; try lockwarden run -- PROGRAM\n"},
  };
  for (const auto& row : table) {
    const ProcessResult result = RunProcess(row.command);
    EXPECT_EQ(result.code, 64) << row.line;
    EXPECT_EQ(result.err, row.line);
    EXPECT_EQ(result.out, "");
  }
  for (const std::string& option :
       {"--incidents=" + file, std::string("--metrics=nonsense:x")}) {
    const ProcessResult result = RunProcess({command, "run", option, "--", "echo", "ran"});
    EXPECT_EQ(result.code, 64) << option;
    EXPECT_EQ(result.out, "") << "the program must not have been started";
    EXPECT_EQ(Lines(result.err).size(), 1u) << result.err;
    EXPECT_EQ(result.err.rfind("lockwarden: ", 0), 0u) << result.err;
  }
  const ProcessResult environment =
      RunProcess({command, "run", "--", "true"}, {"LOCKWARDEN_OPTIONS=restart=maybe"});
  EXPECT_EQ(environment.code, 64);
  EXPECT_EQ(environment.err,
            "lockwarden: LOCKWARDEN_OPTIONS: restart=maybe: must be one of never, on-failure, "
            "always\n");
}

#ifndef LOCKWARDEN_SANITIZES_ADDRESS  // which asks through a pipe whether memory can be read
TEST_F(RunTest, TooFewDescriptorsAreOneLineAndCode64OrItGoesOn) {
  int refused = 0, ran = 0;
  for (int limit = 4; limit <= 32; limit += 4) {
    const ProcessResult result = RunProcess(
        {"/bin/sh", "-c",
         // What the test was started with must not stand in the way of the program's loader.
         "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n " + std::to_string(limit) +
             "; exec " LOCKWARDEN_COMMAND
         " run --incidents=" + directory_.File("incidents") + " -- echo ran"});
    if (result.code == 64) {
      ++refused;
      EXPECT_EQ(result.out, "");
      EXPECT_EQ(Lines(result.err).size(), 1u) << result.err;
      EXPECT_EQ(result.err.rfind("lockwarden: ", 0), 0u) << result.err;
      EXPECT_NE(result.err.find(": Too many open files\n"), std::string::npos) << result.err;
      EXPECT_EQ(result.err.find("nonexistent"), std::string::npos) << result.err;
    } else {
      ++ran;
      EXPECT_EQ(result.code, 0) << limit << result.err;
      EXPECT_EQ(result.out, "ran\n");
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(ran, 0);
}
#endif

TEST_F(RunTest, ReportsThatFindNoRoomAreSaidToHaveFoundNone) {
  const ProcessResult result = Run({"--report=/dev/full"}, Program("deadlock"));
  EXPECT_TRUE(HasLine(result.err, "lockwarden: 1 report was cut short: No space left on device"))
      << result.err;
}

TEST_F(RunTest, HelpAndVersionGoToStandardOutput) {
  const std::string command = LOCKWARDEN_COMMAND;
  EXPECT_EQ(RunProcess({command, "--version"}).code, 0);
  const ProcessResult help = RunProcess({command, "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("--on_deadlock=report|dump|abort|restart"), std::string::npos);
  EXPECT_EQ(RunProcess({command, "run", "--help"}).out, help.out);
  const ProcessResult nothing = RunProcess({command});
  EXPECT_EQ(nothing.code, 64);
  EXPECT_EQ(nothing.out, "");
  EXPECT_EQ(nothing.err, help.out);
  const ProcessResult keys =
      RunProcess({command, "run", "--", "true"}, {"LOCKWARDEN_OPTIONS=help"});
  EXPECT_EQ(keys.code, 0);
  EXPECT_NE(keys.out.find("  on_deadlock=report|dump|abort|restart"), std::string::npos);
}

TEST_F(RunTest, UnwritableDefaultIncidentsDirectoryIsOneLineAndItGoesOn) {
  WriteFile(directory_.File("lockwarden-incidents"), "in the way");
  const ProcessResult result =
      RunProcess({"/usr/bin/env", "--chdir=" + directory_.path(), LOCKWARDEN_COMMAND, "run", "--",
                  "/bin/sh", "-c", "exit 3"});
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(Lines(result.err).size(), 1u) << result.err;
  EXPECT_EQ(result.err.rfind("lockwarden: no incidents will be written: ", 0), 0u) << result.err;
}

TEST_F(RunTest, StaticProgramIsSaidToBeUnrecordedAndSupervised) {
  const ProcessResult result = Run({}, {STATIC_PROGRAM});
  EXPECT_EQ(result.code, 4);
  EXPECT_EQ(result.out, "static\n");
  EXPECT_EQ(result.err, std::string("lockwarden: ") + STATIC_PROGRAM +
                            " is statically linked: its locks cannot be recorded; it is "
                            "supervised without\n");
}

TEST_F(RunTest, SetuidProgramIsSaidToBeUnrecordedAndSupervised) {
  struct statvfs mount;
  if (geteuid() != 0) GTEST_SKIP() << "only root can make one";
  ASSERT_EQ(statvfs(directory_.path().c_str(), &mount), 0);
  if ((mount.f_flag & ST_NOSUID) != 0) GTEST_SKIP() << "mounted nosuid";
  const std::string program = directory_.File("setuid");
  std::filesystem::copy_file("/bin/true", program);
  ASSERT_EQ(chmod(program.c_str(), 04755), 0);
  EXPECT_EQ(Run({}, {program}).err, "");  // root gains nothing by it
  const ProcessResult result =
      RunProcess({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                  LOCKWARDEN_COMMAND, "run", "--incidents=/tmp/none", "--", program});
  if (result.code == 127) GTEST_SKIP() << "nobody may not enter the build directory";
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "lockwarden: " + program +
                            " is setuid: its locks cannot be recorded; it is supervised without\n");
}

TEST_F(RunTest, ProgramInheritsExactlyWhatItWouldWithoutUs) {
  // A shell that ignores a signal, keeps a descriptor open and closes standard input.
  for (const std::string& prelude :
       Strings{"", "trap '' PIPE CHLD HUP; exec 7>/dev/null; exec <&-;"}) {
    const ProcessResult plain = RunProcess(Shell(prelude + " exec " TEST_PROGRAM " inherited"));
    const ProcessResult supervised = RunProcess(
        Shell(prelude + " exec " LOCKWARDEN_COMMAND " run -- " TEST_PROGRAM " inherited"));
    EXPECT_EQ(supervised.out, plain.out);
    EXPECT_EQ(supervised.err, "");
    EXPECT_EQ(supervised.code, 0);
  }
}

TEST_F(RunTest, SignalsAreForwardedOnceWithTheirValue) {
  RunningProcess run(Command({}, Program("signals")));
  ASSERT_TRUE(run.WaitForOut("ready"));
  std::string expected = "ready\n";
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGRTMIN + 3}) {
    kill(run.pid(), signal);
    expected += "signal " + std::to_string(signal) + " value 0\n";
    ASSERT_TRUE(run.WaitForOut(expected)) << run.out();
  }
  sigval value{};
  value.sival_int = 42;
  sigqueue(run.pid(), SIGUSR1, value);
  expected += "signal " + std::to_string(SIGUSR1) + " value 42\n";
  ASSERT_TRUE(run.WaitForOut(expected)) << run.out();
  kill(run.pid(), SIGTERM);
  const ProcessResult result = run.Wait();
  EXPECT_EQ(result.out, expected + "signal 15 value 0\n");
  EXPECT_EQ(result.code, 5);
}

// A terminal sends Ctrl-C to the foreground group, which is both of us.
TEST_F(RunTest, TerminalsCtrlCReachesTheProgramOnce) {
  const std::string script =
      "import os, pty, select, sys, time\n"
      "pid, fd = pty.fork()\n"
      "if pid == 0: os.execv(sys.argv[1], sys.argv[1:])\n"
      "said, end = b'', time.monotonic() + 30\n"
      "def until(text):\n"
      "  global said\n"
      "  while text not in said and time.monotonic() < end:\n"
      "    if select.select([fd], [], [], 1)[0]: said += os.read(fd, 1000)\n"
      "until(b'ready')\n"
      "os.write(fd, b'\\x03')\n"
      "until(b'signal 2')\n"
      "os.write(fd, b'\\x1c')\n"
      "until(b'signal 3')\n"
      "os.kill(pid, 15)\n"
      "until(b'signal 15')\n"
      "print(said.count(b'signal 2 '), said.count(b'signal 3 '), said.count(b'signal 15 '))\n"
      "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
  Strings command = {"/usr/bin/python3", "-c", script};
  for (const std::string& word : Command({}, Program("signals"))) command.push_back(word);
  const ProcessResult result = RunProcess(command);
  EXPECT_EQ(result.out, "1 1 1\n");
  EXPECT_EQ(result.code, 5) << result.err;
}

TEST_F(RunTest, ProgramGoesOnWhenTheSupervisorDies) {
  const std::string fifo = directory_.File("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int hold = open(fifo.c_str(), O_RDWR | O_CLOEXEC);
  RunningProcess run(Command({}, Shell("echo up; read line <" + fifo + "; echo still $line")),
                     {"XDG_RUNTIME_DIR=", "TMPDIR=" + directory_.path()});
  ASSERT_TRUE(run.WaitForOut("up"));
  kill(run.pid(), SIGKILL);
  ASSERT_EQ(write(hold, "there\n", 6), 6);
  EXPECT_TRUE(run.WaitForOut("still there"));
  EXPECT_EQ(run.Wait().signal, SIGKILL);
  close(hold);
}

TEST_F(RunTest, TakenMetricsPortIsOneLineAndItGoesOn) {
  RunningProcess holder({"/usr/bin/python3", "-c",
                         "import socket\n"
                         "s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen()\n"
                         "print(s.getsockname()[1],flush=True)\n"
                         "s.accept()\n"});
  ASSERT_TRUE(holder.WaitForOut("\n"));
  const std::string port = Lines(holder.out())[0];
  const ProcessResult result = Run({"--metrics=127.0.0.1:" + port}, Shell("exit 3"));
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(Lines(result.err).size(), 1u) << result.err;
  EXPECT_EQ(result.err.rfind("lockwarden: cannot serve metrics yet: ", 0), 0u) << result.err;
}

TEST_F(RunTest, RestartsOnFailureUntilItSucceeds) {
  const ProcessResult result =
      Run({"--restart=on-failure", "--restart_delay=1ms"},
          {TEST_PROGRAM, "fail-until", directory_.File("count"), "3"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.err, "lockwarden: restarting " TEST_PROGRAM " (1 of 5) after exit code 1\n"
                        "lockwarden: restarting " TEST_PROGRAM " (2 of 5) after exit code 1\n");
  EXPECT_EQ(ReadFile(directory_.File("count")), "xxx");
}

TEST_F(RunTest, SpentBudgetIsOneLineAndCode69) {
  const ProcessResult result =
      Run({"--restart=always", "--restart_delay=1ms", "--restart_max=2"}, Shell("kill -SEGV $$"));
  EXPECT_EQ(result.code, 69);
  EXPECT_EQ(result.err,
            "lockwarden: restarting /bin/sh (1 of 2) after a crash (SIGSEGV)\n"
            "lockwarden: restarting /bin/sh (2 of 2) after a crash (SIGSEGV)\n"
            "lockwarden: giving up on /bin/sh after a crash (SIGSEGV): restart_max=2 within "
            "restart_window=1m is used up\n");
}

TEST_F(RunTest, RequestToStopEndsRestartsToo) {
  RunningProcess running(Command({"--restart=always"}, Program("signals")));
  ASSERT_TRUE(running.WaitForOut("ready"));
  kill(running.pid(), SIGTERM);
  EXPECT_EQ(running.Wait().code, 5);

  RunningProcess pausing(
      Command({"--restart=always", "--restart_delay=1h"}, Shell("echo ended; exit 7")));
  ASSERT_TRUE(pausing.WaitForOut("ended"));
  kill(pausing.pid(), SIGTERM);
  const ProcessResult result = pausing.Wait();
  // The signal met the program's last moments, or the pause behind them.
  EXPECT_TRUE(result.signal == SIGTERM || result.code == 7) << result.code;
  EXPECT_EQ(Lines(result.out).size(), 1u);
}

TEST_F(RunTest, RegistrationsAreCheckedInARealRun) {
  EXPECT_EQ(Run({}, {HELLO_PROGRAM, "good"}).err, "");
  for (const std::string mistake : {"token", "garbage"}) {
    const ProcessResult result = Run({}, {HELLO_PROGRAM, mistake});
    EXPECT_EQ(result.code, 0);
    const Strings lines = Lines(result.err);
    ASSERT_EQ(lines.size(), 2u) << result.err;
    EXPECT_EQ(lines[0].rfind("lockwarden: refused a ledger from pid ", 0), 0u) << lines[0];
    EXPECT_EQ(lines[1], "lockwarden: refused registrations: 1");
  }
}

TEST_F(RunTest, NothingIsLeftBehindWhereTheSocketWas) {
  const ProcessResult result = Run({}, Shell("echo $LOCKWARDEN_SOCKET"),
                                   {"XDG_RUNTIME_DIR=", "TMPDIR=" + directory_.path()});
  const std::string path = result.out.substr(33, result.out.find('\n') - 33);
  EXPECT_EQ(path.rfind(directory_.path() + "/lockwarden-", 0), 0u) << result.out;
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(path).parent_path()));
}

TEST_F(RunTest, ProcessesThatStayBehindAreMentioned) {
  const std::string fifo = directory_.File("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int hold = open(fifo.c_str(), O_RDWR | O_CLOEXEC);
  // The daemon has told that it runs, and so has registered, before its parent ends.
  const std::string script =
      "import os, threading\n"
      "r, w = os.pipe()\n"
      "threading.Lock().acquire()\n"
      "if os.fork() == 0:\n"
      "  threading.Lock().acquire()\n"
      "  os.write(w, b'x')\n"
      "  open('" + fifo + "').readline()\n"
      "  os._exit(0)\n"
      "os.read(r, 1)\n";
  const ProcessResult result = Run({}, {"/usr/bin/python3", "-c", script});
  EXPECT_EQ(result.code, 0);
  EXPECT_TRUE(HasLine(result.err,
                      "lockwarden: 1 process of /usr/bin/python3 still running, no longer watched"))
      << result.err;
  ASSERT_EQ(write(hold, "\n", 1), 1);
  close(hold);
}

TEST_F(RunTest, FirstProcessOfAContainerReapsOrphansAndPassesTheCodeOn) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can make a pid namespace";
  Strings command = {"unshare", "--pid", "--fork", "--mount-proc"};
  for (const std::string& word :
       Command({}, Shell("(/bin/true &); (sh -c 'exit 3' &); echo $PPID; exit 4"))) {
    command.push_back(word);
  }
  const ProcessResult result = RunProcess(command);
  if (result.code == 1 && result.err.find("unshare") == 0) GTEST_SKIP() << result.err;
  EXPECT_EQ(result.out, "1\n");
  EXPECT_EQ(result.code, 4) << result.err;
}

}  // namespace
}  // namespace lockwarden
