// Hooks inside hooks: signal handlers that lock, hooks that are left by longjmp, and what
// either leaves behind. A handler is a call from inside the real call, or a real signal
// where the stack it runs on matters.
#include <alloca.h>
#include <setjmp.h>
#include <signal.h>

#include <cstring>

#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

class HandlersTest : public SmallLedger {
 protected:
  bool Holds(FakeLock* lock) {
    for (const uint32_t index : IndexesHeldBy(Me())) {
      if (index == IndexOf(FindLock(lock))) return true;
    }
    return false;
  }
};

TEST_F(HandlersTest, AHandlersLocksAreRecordedBesideTheInterruptedWait) {
  FakeLock waited, handlers;
  Acquire(&waited, [&] {
    Acquire(&handlers);
    EXPECT_EQ(IndexOf(Me().frame0.wait.wait), IndexOf(FindLock(&waited)));
    EXPECT_EQ(HeldBy(Me()).at(0).frame, 1u);
    EXPECT_NE(Release(&handlers), 0u);
    return true;
  });
  EXPECT_TRUE(Holds(&waited));
  EXPECT_FALSE(Holds(&handlers));
  EXPECT_EQ(this_thread.Depth(), 0u);
}

TEST_F(HandlersTest, DeeperThanThereAreFramesIsCountedAndGoesOnUnrecorded) {
  FakeLock locks[kFrames + 2];
  int ran = 0;
  const auto nest = [&](auto self, uint32_t level) -> bool {
    ++ran;
    if (level < kFrames + 2) {
      EXPECT_EQ(Acquire(&locks[level], [&] { return self(self, level + 1); }), level < kFrames);
    }
    return true;
  };
  nest(nest, 0);
  EXPECT_EQ(ran, static_cast<int>(kFrames) + 3);
  EXPECT_EQ(Me().nested_dropped, 2u);
  EXPECT_EQ(this_thread.Depth(), 0u);
}

TEST_F(HandlersTest, WhatAHandlerLeavesLockedTheInterruptedCodeCanRelease) {
  FakeLock waited, left;
  Acquire(&waited, [&] { return Acquire(&left); });
  EXPECT_TRUE(Holds(&left));
  EXPECT_NE(Release(&left), 0u);
  EXPECT_FALSE(Holds(&left));
  EXPECT_TRUE(Holds(&waited));
}

TEST_F(HandlersTest, WhatTheInterruptedCodeHoldsAHandlerCanRelease) {
  FakeLock bottom, middle, top, waited;
  for (FakeLock* lock : {&bottom, &middle, &top}) Acquire(lock);
  Acquire(&waited, [&] {
    EXPECT_NE(Release(&middle), 0u);
    EXPECT_FALSE(Holds(&middle));
    return true;
  });
  // The list of the interrupted frame is whole again, also where the newest entry is gone.
  Acquire(&middle, [&] { return Release(&waited) != 0; });
  EXPECT_TRUE(Holds(&bottom) && Holds(&middle) && Holds(&top));
  EXPECT_FALSE(Holds(&waited));
  for (FakeLock* lock : {&middle, &top, &bottom}) EXPECT_NE(Release(lock), 0u);
  EXPECT_TRUE(HeldBy(Me()).empty());
  FakeLock fresh;
  Acquire(&fresh);
  EXPECT_EQ(HeldBy(Me()).at(0).depth, 0u);
  EXPECT_NE(Release(&fresh), 0u);
  EXPECT_TRUE(HeldBy(Me()).empty());
}

// The first lock record has index 0: a hole must not be taken for it.
TEST_F(HandlersTest, AHoleIsNotTakenForTheFirstLockOfTheLedger) {
  FakeLock first, newest;
  Acquire(&first);
  ASSERT_EQ(IndexOf(FindLock(&first)), 0u);
  Acquire(&newest);
  FakeLock waited;
  Acquire(&waited, [&] { return Release(&newest), false; });
  EXPECT_NE(Release(&first), 0u);
  EXPECT_FALSE(Holds(&first));
  EXPECT_TRUE(HeldBy(Me()).empty());
}

// A semaphore that the main code waits for in a loop and a handler on the same thread posts.
TEST_F(HandlersTest, AUnitPostedByAHandlerDuringTheNextWaitIsCountedOnce) {
  FakeLock semaphore, mutex;
  for (int i = 0; i < 4; ++i) {
    Acquire<FakeSemaphore>(&semaphore, [&] { return Post(&semaphore), true; });
    Acquire(&mutex);
    EXPECT_LE(HeldBy(Me()).size(), 2u);
    EXPECT_NE(Release(&mutex), 0u) << "a lock that is not held is said to be";
    EXPECT_FALSE(Holds(&mutex));
  }
}

jmp_buf outside;

__attribute__((noinline)) void LeaveByLongjmp(FakeLock* lock) {
  Acquire(lock, []() -> bool { longjmp(outside, 1); });
}
// From the place where the next hook will be called: the stack pointer is the same.
__attribute__((noinline)) bool AcquireOrLeave(FakeLock* lock, bool leave) {
  return Acquire(lock, [leave]() -> bool {
    if (leave) longjmp(outside, 1);
    return true;
  });
}

TEST_F(HandlersTest, TheFrameOfAHookLeftByLongjmpIsForgotten) {
  FakeLock lock, next;
  lock.taken = 1;
  if (setjmp(outside) == 0) LeaveByLongjmp(&lock);
  EXPECT_EQ(this_thread.Depth(), 1u);
  const uint64_t waits = Me().waits;
  Acquire(&next);
  EXPECT_EQ(this_thread.Depth(), 0u);
  EXPECT_EQ(Me().frame0.wait.wait, 0u);
  EXPECT_NE(Me().waits, waits);
  ASSERT_EQ(HeldBy(Me()).size(), 1u);
  EXPECT_EQ(HeldBy(Me())[0].frame, 0u);
}

// As a cancelled condition wait is followed by the unlock in its cleanup handler.
TEST_F(HandlersTest, AHookCalledFromTheSamePlaceShowsThatTheLastOneWasLeft) {
  FakeLock lock;
  volatile bool leave = true;
  if (setjmp(outside) != 0) leave = false;
  AcquireOrLeave(&lock, leave);
  EXPECT_EQ(this_thread.Depth(), 0u);
  ASSERT_EQ(HeldBy(Me()).size(), 1u);
  EXPECT_EQ(HeldBy(Me())[0].frame, 0u);
}

TEST_F(HandlersTest, LocksTakenAboveAStaleFrameCanBeReleasedWhenItIsForgotten) {
  FakeLock lock, kept;
  if (setjmp(outside) == 0) LeaveByLongjmp(&lock);
  // Deeper on the stack than the hook that was left: looks like a handler.
  const auto deep = [&](void* space) __attribute__((noinline)) {
    std::memset(space, 0, 16);
    return Acquire(&kept);
  };
  deep(alloca(65536));
  EXPECT_EQ(HeldBy(Me()).at(0).frame, 1u);
  EXPECT_NE(Release(&kept), 0u);
  EXPECT_TRUE(HeldBy(Me()).empty());
}

// A program may keep its signal stack in a variable of main(): above every hook.
FakeLock* handlers_lock = nullptr;
uint32_t depth_in_handler = 0;
void LockInHandler(int) {
  Acquire(handlers_lock, [] { return depth_in_handler = this_thread.Depth(), true; });
  Release(handlers_lock);
}

TEST_F(HandlersTest, AHandlerOnASignalStackAboveTheHookDoesNotForgetIt) {
  alignas(16) static thread_local char unused[16];
  static_cast<void>(unused);
  constexpr size_t kSize = 65536;
  char* space = static_cast<char*>(alloca(kSize));
  stack_t stack{}, stack_before{};
  stack.ss_sp = space;
  stack.ss_size = kSize;
  ASSERT_EQ(sigaltstack(&stack, &stack_before), 0);
  struct sigaction action {}, action_before {};
  action.sa_handler = LockInHandler;
  action.sa_flags = SA_ONSTACK;
  ASSERT_EQ(sigaction(SIGUSR1, &action, &action_before), 0);
  FakeLock waited, locked_in_handler;
  handlers_lock = &locked_in_handler;
  const auto wait = [&]() __attribute__((noinline)) {
    Acquire(&waited, [&] {
      raise(SIGUSR1);
      EXPECT_EQ(IndexOf(Me().frame0.wait.wait), IndexOf(FindLock(&waited)));
      return true;
    });
  };
  wait();
  EXPECT_EQ(depth_in_handler, 2u);
  sigaction(SIGUSR1, &action_before, nullptr);
  sigaltstack(&stack_before, nullptr);
}

// Handlers that interrupt anything, anywhere: bounded by count, and afterwards the books
// must balance.
FakeLock stormed_semaphore;
void PostInHandler(int) {
  Acquire(handlers_lock);
  Release(handlers_lock);
  Post(&stormed_semaphore);
}

TEST_F(HandlersTest, AfterAStormOfSignalsNothingIsHeldThatWasReleased) {
  FakeLock a, b, in_handler;
  handlers_lock = &in_handler;
  struct sigaction action {}, before {};
  action.sa_handler = PostInHandler;
  action.sa_flags = SA_RESTART;
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  sigset_t blocked;
  const pthread_t self = pthread_self();
  std::atomic<bool> stop{false};
  pthread_t sender;
  struct Target {
    pthread_t thread;
    std::atomic<bool>* stop;
  } target{self, &stop};
  pthread_create(&sender, nullptr, [](void* argument) -> void* {
    Target* t = static_cast<Target*>(argument);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (!*t->stop) pthread_kill(t->thread, SIGUSR1);
    return nullptr;
  }, &target);
  for (int i = 0; i < 100000; ++i) {
    Acquire(&a);
    Acquire<FakeSemaphore>(&stormed_semaphore);
    Acquire(&b);
    Release(&a);
    Release(&b);
  }
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  stop = true;
  pthread_join(sender, nullptr);
  signal(SIGUSR1, SIG_IGN);  // what is pending goes
  pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  sigaction(SIGUSR1, &before, nullptr);
  for (const Held& held : HeldBy(Me())) EXPECT_EQ(held.mode, Mode::kUnit) << held.index;
  EXPECT_EQ(this_thread.Depth(), 0u);
  // Each lock is still known by its own name.
  for (FakeLock* lock : {&a, &b, &in_handler}) {
    Acquire(lock);
    EXPECT_EQ(LockAt(IndexOf(Release(lock))).address, reinterpret_cast<uint64_t>(lock));
  }
}

}  // namespace
}  // namespace lockwarden::ledger
