// Forks: a child has a ledger of its own, however it was forked, knows what it inherited,
// and never writes into its parent's. Here the process's real gate is used: each test runs
// in a child of its own, so that it begins with none.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/process.h"
#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

// Exit statuses say where a child failed: the line.
#define MUST(condition) \
  if (!(condition)) Fail(#condition, __LINE__)
[[noreturn]] void Fail(const char* what, int line) {
  dprintf(STDERR_FILENO, "fork_test.cc:%d: %s\n", line, what);
  _exit(1);
}

// Runs the body in a fresh child with a ledger of its own; waits for it.
void InChild(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    MUST(InitialiseProcess());
    body();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

void WaitFor(pid_t child) {
  int status = 0;
  MUST(waitpid(child, &status, 0) == child);
  MUST(status == 0);
}

// As the hook does.
pid_t ForkAsTheHookDoes() {
  InheritedHolds inherited;
  CollectHolds(&inherited);
  this_thread.inherited = &inherited;
  const pid_t child = fork();
  if (child == 0) InitialiseProcess();
  this_thread.inherited = nullptr;
  return child;
}

TEST(ForkTest, ThreadsThatComeWhileTheLedgerIsMadeAreRecordedToo) {
  constexpr int kImages = 40, kThreads = 4;
  for (int i = 0; i < kImages; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(30);
      std::atomic<int> missing{kThreads}, unrecorded{0};
      std::vector<std::thread> threads;
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
          FakeLock lock;
          missing.fetch_sub(1);
          while (missing.load() > 0) {
          }
          if (!Acquire(&lock)) ++unrecorded;
        });
      }
      for (std::thread& thread : threads) thread.join();
      _exit(unrecorded);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0) << "child " << i;
  }
}

TEST(ForkTest, TheChildHasALedgerOfItsOwnAndInheritsWhatItsThreadHeld) {
  InChild([] {
    FakeLock reader, mutex;
    Acquire<FakeReader>(&reader);
    Acquire(&mutex);
    const Header& parents = TheLedger().header();
    const uint64_t parents_id = parents.image_id[0];
    const pid_t child = ForkAsTheHookDoes();
    if (child == 0) {
      const Header& own = TheLedger().header();
      MUST(own.image_id[0] != parents_id);
      MUST((own.flags & kForkedChild) != 0);
      MUST(own.pid == static_cast<uint32_t>(getpid()));
      const auto held = HeldBy(*this_thread.record);
      MUST(held.size() == 2);
      MUST(held[0].mode == Mode::kShared && held[1].mode == Mode::kExclusive);
      for (const Held& hold : held) MUST((hold.mode_bits & kInherited) != 0);
      MUST(held[1].index == IndexOf(FindLock(&mutex)));
      MUST(Release(&mutex) != 0);
      MUST(Release(&reader) != 0);
      MUST(HeldBy(*this_thread.record).empty());
      _exit(0);
    }
    WaitFor(child);
    MUST(HeldBy(*this_thread.record).size() == 2);
  });
}

TEST(ForkTest, WhatTheChildLocksIsNotInItsParentsLedger) {
  InChild([] {
    FakeLock known, unknown;
    Acquire(&known);
    Release(&known);
    const ThreadRecord& record = *this_thread.record;
    const uint64_t acquisitions = record.acquisitions;
    const pid_t child = ForkAsTheHookDoes();
    if (child == 0) {
      for (int i = 0; i < 100; ++i) {
        Acquire(&known);
        Acquire(&unknown);
        Release(&unknown);
        Release(&known);
      }
      MUST(this_thread.record->acquisitions == 200);
      _exit(0);
    }
    WaitFor(child);
    MUST(record.acquisitions == acquisitions);
    MUST(FindLock(&unknown) == 0);
    MUST(TheLedger().header().tables[kEdges].used == 0);
  });
}

TEST(ForkTest, AForkThatNoHookSawIsNoticedAtTheFirstLock) {
  InChild([] {
    FakeLock lock;
    Acquire(&lock);
    const uint64_t parents_id = TheLedger().header().image_id[0];
    const pid_t child = _Fork();
    if (child == 0) {
      MUST(TheGate()->epoch == 0);
      FakeLock other;
      MUST(Acquire(&other));
      MUST(TheLedger().header().image_id[0] != parents_id);
      MUST(HeldBy(*this_thread.record).size() == 1);  // nobody could say what was inherited
      Release(&lock);                                 // and its release is no mistake
      MUST(Release(&other) != 0);
      _exit(0);
    }
    WaitFor(child);
    MUST(HeldBy(*this_thread.record).size() == 1);
  });
}

#ifndef LOCKWARDEN_SANITIZES_THREAD  // which makes a fork of it
TEST(ForkTest, AVforkIsLeftAlone) {
  InChild([] {
    const uint64_t epoch = TheGate()->epoch;
    const pid_t child = vfork();
    if (child == 0) _exit(TheGate()->epoch == epoch ? 0 : 1);
    WaitFor(child);
    MUST(TheGate()->epoch == epoch);
  });
}
#endif

TEST(ForkTest, GenerationsOfChildrenEachHaveTheirOwnLedger) {
  InChild([] {
    std::function<void(int)> descend = [&](int generations) {
      if (generations == 0) return;
      FakeLock lock;
      Acquire(&lock);
      const uint64_t id = TheLedger().header().image_id[0];
      const pid_t child = ForkAsTheHookDoes();
      if (child == 0) {
        MUST(TheLedger().header().image_id[0] != id);
        MUST(Release(&lock) != 0);
        descend(generations - 1);
        _exit(0);
      }
      WaitFor(child);
      MUST(Release(&lock) != 0);
    };
    descend(6);
  });
}

TEST(ForkTest, AThreadOtherThanTheMainOneForksAndItsChildRecords) {
  InChild([] {
    std::thread([] {
      FakeLock lock;
      Acquire(&lock);
      const pid_t child = ForkAsTheHookDoes();
      if (child == 0) {
        MUST(HeldBy(*this_thread.record).size() == 1);
        MUST(this_thread.record->stack_high != 0);
        MUST(Release(&lock) != 0);
        _exit(0);
      }
      WaitFor(child);
    }).join();
  });
}

// A handler that forks inside a hook: the child goes on with the interrupted hook, which
// has its hands on the parent's ledger.
TEST(ForkTest, AChildForkedInsideAHookFinishesItWithoutTouchingItsParentsLedger) {
  InChild([] {
    FakeLock lock, semaphore, again;
    lock.taken = 1;
    const ThreadRecord& record = *this_thread.record;
    pid_t child = -1;
    const auto fork_here = [&] { return child = ForkAsTheHookDoes(), true; };
    Acquire(&lock, fork_here);
    if (child == 0) {
      MUST(this_thread.Depth() == 0);
      MUST(Acquire(&again));
      MUST(Release(&again) != 0);
      _exit(0);
    }
    WaitFor(child);
    MUST(HeldBy(record).size() == 1);
    Release(&lock, fork_here);
    if (child == 0) _exit(0);
    WaitFor(child);
    Acquire<FakeSemaphore>(&semaphore, fork_here);
    if (child == 0) _exit(Acquire(&again) ? 0 : 1);
    WaitFor(child);
    MUST(HeldBy(record).size() == 1);
    MUST(record.acquisitions == 2);
  });
}

// A release has no frame, so nobody knows that a handler forked inside it.
TEST(ForkTest, WhatAReleaseTouchesStaysInAChildThatWasForkedInsideIt) {
  InChild([] {
    std::vector<FakeLock> locks(300);
    for (FakeLock& lock : locks) {
      Acquire(&lock);
      Release(&lock);
    }
    Acquire(&locks[299]);
    ThreadRecord* const record = this_thread.record;
    const LockRecord* const last = &this_thread.locks[IndexOf(FindLock(&locks[299]))];
    char* const another_table = TheLedger().Table<char>(kNames);
    const pid_t child = ForkAsTheHookDoes();
    if (child == 0) {
      MUST(this_thread.record != record);
      MUST(record->frame0.held_count == 0 && record->held[kHeldTotal - 1].lock == 0);
      MUST(last->address == 0);
      DecrementOwn(record->frame0.held_count);
      unsigned char resident = 0;
      MUST(mincore(another_table, kPageSize, &resident) == -1 && errno == ENOMEM);
      const pid_t grandchild = ForkAsTheHookDoes();
      if (grandchild == 0) _exit(Release(&locks[299]) != 0 ? 0 : 1);
      WaitFor(grandchild);
      _exit(0);
    }
    WaitFor(child);
    MUST(record->frame0.held_count == 1);
    MUST(Release(&locks[299]) != 0);
  });
}

TEST(ForkTest, MoreHoldsThanAChildIsToldOfAreReleasedWithoutHarm) {
  InChild([] {
    std::vector<FakeLock> locks(100);
    for (FakeLock& lock : locks) Acquire(&lock);  // more than a child is told of
    const pid_t child = ForkAsTheHookDoes();
    if (child == 0) {
      MUST(HeldBy(*this_thread.record).size() == InheritedHolds::kCapacity);
      for (FakeLock& lock : locks) Release(&lock);
      MUST(HeldBy(*this_thread.record).empty());
      _exit(0);
    }
    WaitFor(child);
  });
}

TEST(ForkTest, WithoutRoomForALedgerTheProgramRunsAndSaysSoOnce) {
  int said[2];
  ASSERT_EQ(pipe(said), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(said[1], STDERR_FILENO);
    rlimit file{1 << 16, 1 << 16};
    setrlimit(RLIMIT_FSIZE, &file);
    if (InitialiseProcess()) _exit(2);
    FakeLock lock;
    int calls = 0;
    for (int i = 0; i < 10; ++i) {
      if (Acquire(&lock, [&] { return ++calls, true; })) _exit(3);
      Release(&lock, [&] { ++calls; });
    }
    _exit(calls == 20 ? 0 : 4);
  }
  close(said[1]);
  std::string text;
  char buffer[512];
  for (ssize_t got; (got = read(said[0], buffer, sizeof(buffer))) > 0;) text.append(buffer, got);
  close(said[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text, "lockwarden: not recording in this process: the limits on memory or file size "
                  "leave no room for a ledger\n");
}

}  // namespace
}  // namespace lockwarden::ledger
