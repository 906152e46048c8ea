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
  // At each level all that go on make two more, one of which goes on too: 1, 2, 4, 8 go on,
  // and 1 + 2 + 4 do not. The half of them are still at it when the tree is killed.
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

// A process that is stopped in the middle of a fork has its child only when it stands still.
class ForkingTree : public ProcessTreeView {
 public:
  static constexpr int kRoot = 1, kParent = 2, kLateChild = 3;
  explicit ForkingTree(int moments_until_still) : moments_until_still_(moments_until_still) {}
  std::vector<int> Children(int pid) override {
    if (pid == kRoot) return {kParent};
    if (pid == kParent && moments_until_still_ == 0) return {kLateChild};
    return {};
  }
  bool Stop(int child, int) override { return stopped_.push_back(child), true; }
  bool StandsStill(int pid) override { return pid != kParent || moments_until_still_ == 0; }
  void WaitAMoment() override { ++waited_, moments_until_still_ -= moments_until_still_ > 0; }
  void KillAll() override { killed_ = stopped_; }

  int moments_until_still_, waited_ = 0;
  std::vector<int> stopped_, killed_;
};

TEST(ProcessTreeTest, AChildThatIsBornWhileItsParentIsStoppedIsFound) {
  ForkingTree tree(50);
  KillProcessTree(ForkingTree::kRoot, &tree);
  EXPECT_EQ(tree.killed_, (std::vector<int>{ForkingTree::kParent, ForkingTree::kLateChild}));
}

TEST(ProcessTreeTest, AProcessThatNeverStopsIsKilledAllTheSame) {
  ForkingTree tree(1000000);
  KillProcessTree(ForkingTree::kRoot, &tree);
  EXPECT_EQ(tree.killed_, std::vector<int>{ForkingTree::kParent});
  EXPECT_LT(tree.waited_, 1000);
}

TEST(ProcessFactsTest, KnowsWhoStandsStill) {
  EXPECT_FALSE(StandsStill(getpid()));
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  kill(child, SIGSTOP);
  int status;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  EXPECT_TRUE(StandsStill(child));
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(StandsStill(child));
}

}  // namespace
}  // namespace lockwarden
