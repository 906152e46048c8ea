// What is read from /proc, and the end of a process tree.
#include "watchdog/process_facts.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "run_process.h"
#include "watchdog/process_tree.h"

namespace lockwarden {
namespace {

TEST(ProcessFactsTest, NameInParenthesesMayHoldAnything) {
  const std::string tail = " S 7 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
  for (const char* name : {"(sh)", "(a b)", "(a) S 1 2)", "()", "(\n)"}) {
    const auto stat = ParseProcessStat(std::string("12 ") + name + tail);
    ASSERT_TRUE(stat.has_value()) << name;
    EXPECT_EQ(stat->parent, 7);
    EXPECT_EQ(stat->start_ticks, 4242u);
  }
  for (const char* text : {"", "12", "12 (sh)", "12 (sh) S 7"}) {
    EXPECT_FALSE(ParseProcessStat(text).has_value()) << text;
  }
}

TEST(ProcessFactsTest, KnowsThisProcess) {
  const auto stat = ReadProcessStat(getpid());
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->parent, getppid());
  EXPECT_GT(stat->start_ticks, 0u);
  EXPECT_TRUE(SharesTimeNamespace(getpid()));
  EXPECT_FALSE(IsDumpingCore(getpid()));
}

// A write end that every process of a tree inherits: when the last one is gone, reading
// comes to an end. No pid is looked at, so none can be mistaken.
TEST(ProcessTreeTest, EveryDescendantIsGoneWhenTheTreeWasKilled) {
  int ends[2], ready[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(pipe(ready), 0);
  const pid_t root = fork();
  if (root == 0) {
    close(ends[0]);
    for (int depth = 0; depth < 3; ++depth) {
      setsid();  // sessions and groups of their own make no difference
      if (fork() == 0 && fork() == 0) break;
    }
    [[maybe_unused]] const ssize_t told = write(ready[1], "r", 1);
    for (;;) pause();
  }
  close(ends[1]);
  // 1 + 2 processes a level, the last of which goes on to the next: 7 in all.
  for (int i = 0; i < 7; ++i) {
    char c;
    ASSERT_EQ(read(ready[0], &c, 1), 1);
  }
  KillProcessTree(root);
  char c;
  EXPECT_EQ(read(ends[0], &c, 1), 0);
  int status;
  ASSERT_EQ(waitpid(root, &status, 0), root);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  for (int fd : {ends[0], ready[0], ready[1]}) close(fd);
}

}  // namespace
}  // namespace lockwarden
