// What is recorded of locks that are taken in signal handlers, with real signals: the
// kernel's frame on the stack is what tells.
#include "runtime/handler_use.h"

#include <signal.h>

#include <functional>
#include <thread>
#include <vector>

#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

#if defined(__x86_64__)

std::function<void()> in_handler;
void OnSignal(int) { in_handler(); }

class HandlerUseTest : public SmallLedger {
 protected:
  void Raise(const std::function<void()>& body, int flags = 0) {
    in_handler = body;
    struct sigaction action {}, before {};
    action.sa_handler = OnSignal;
    action.sa_flags = flags;
    ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, nullptr);
  }
  template <class Object = FakeMutex>
  void Take(FakeLock* lock, uint8_t mode_bits = 0) {
    Acquire<Object>(lock, Succeed{}, mode_bits);
    Release(lock);
  }
  MisuseRecord& Taken(uint32_t index) { return TheLedger().Table<MisuseRecord>(kMisuse)[index]; }
  uint64_t HeadOf(uint32_t stack) { return TheLedger().Table<uint64_t>(kStacks)[stack]; }
  LockRecord& RecordOf(FakeLock* lock) { return LockAt(IndexOf(FindLock(lock))); }
};

TEST_F(HandlerUseTest, ALockTakenInAHandlerIsRecordedWithTheHandlersStackAlone) {
  FakeLock lock;
  Raise([&] { Take(&lock); });
  ASSERT_EQ(Used(kMisuse), 1u);
  EXPECT_EQ(Taken(0).kind, static_cast<uint32_t>(MisuseKind::kTakenInHandler));
  EXPECT_EQ(WithoutMode(Taken(0).lock), WithoutMode(FindLock(&lock)));
  EXPECT_EQ(Taken(0).thread_serial, Me().serial);
  EXPECT_NE(HeadOf(Taken(0).stack) & kStackInHandler, 0u);
  EXPECT_EQ(RecordOf(&lock).plain_stack & kPlainStack, 0u);
  EXPECT_NE(Taken(0).other_lock & uint64_t{1} << (SIGUSR1 - 1), 0u) << "its own signal is blocked";
}

TEST_F(HandlerUseTest, WhereverTheHandlerComesItIsTheSameStackAndCounted) {
  FakeLock lock;
  const std::function<void(int)> deep = [&](int depth) {
    if (depth == 0) {
      Raise([&] { Take(&lock); });
    } else {
      deep(depth - 1);
    }
  };
  for (int depth = 0; depth < 8; ++depth) deep(depth);
  EXPECT_EQ(Used(kMisuse), 1u);
  EXPECT_EQ(Taken(0).count, 8u);
}

TEST_F(HandlerUseTest, CodeOutsideHandlersIsNotedOnce) {
  FakeLock lock;
  Take(&lock);
  const uint32_t first = RecordOf(&lock).plain_stack;
  EXPECT_NE(first, 0u);
  EXPECT_EQ(HeadOf(first) & kStackInHandler, 0u);
  Take(&lock);
  EXPECT_EQ(RecordOf(&lock).plain_stack, first);
  EXPECT_EQ(Used(kMisuse), 0u);
}

TEST_F(HandlerUseTest, WhatCannotBlockForEverInAHandlerIsNotRecorded) {
  FakeLock lock;
  Raise([&] {
    Take(&lock, kTry);
    Take(&lock, kTimed);
  });
  EXPECT_EQ(Used(kMisuse), 0u);
  EXPECT_EQ(RecordOf(&lock).plain_stack, 0u);
  // Outside it is held, however it was taken.
  Take(&lock, kTry);
  EXPECT_NE(RecordOf(&lock).plain_stack, 0u);
}

TEST_F(HandlerUseTest, SemaphoresAreNeitherHereNorThere) {
  FakeLock semaphore;
  Raise([&] {
    Acquire<FakeSemaphore>(&semaphore);
    Post(&semaphore);
  });
  EXPECT_EQ(Used(kMisuse), 0u);
  EXPECT_EQ(RecordOf(&semaphore).own_releases, 1u);
}

TEST_F(HandlerUseTest, AWriterSaysMoreThanAReader) {
  FakeLock lock;
  Take<FakeReader>(&lock);
  EXPECT_NE(RecordOf(&lock).plain_stack & kPlainShared, 0u);
  Take<FakeWriter>(&lock);
  const uint32_t writer = RecordOf(&lock).plain_stack;
  EXPECT_EQ(writer & kPlainShared, 0u);
  Take<FakeReader>(&lock);
  EXPECT_EQ(RecordOf(&lock).plain_stack, writer);
}

TEST_F(HandlerUseTest, ANewLifeBeginsWithoutTheOldOnesUses) {
  FakeLock lock;
  Take(&lock);
  Destroy(&lock);
  Raise([&] { Take(&lock); });
  EXPECT_EQ(RecordOf(&lock).plain_stack & kPlainStack, 0u);
}

TEST_F(HandlerUseTest, WhatCodeOutsideHasBlockedIsAskedOnceAHandlerHasTakenTheLock) {
  const struct {
    int blocked;  // 0: none
    int flags;
    uint32_t says;
  } cases[] = {{0, 0, kPlainOpen},
               {SIGUSR1, 0, kPlainBlocked},
               {SIGUSR2, 0, kPlainOpen},
               {SIGUSR1, SA_NODEFER, kPlainDoubtful},
               {0, SA_NODEFER, kPlainOpen}};
  std::vector<FakeLock> locks(std::size(cases));
  for (const auto& one : cases) {
    FakeLock& lock = locks[static_cast<size_t>(&one - cases)];
    sigset_t set, before;
    sigemptyset(&set);
    if (one.blocked != 0) sigaddset(&set, one.blocked);
    const auto take = [&] {
      pthread_sigmask(SIG_BLOCK, &set, &before);
      Take(&lock);
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
    };
    take();
    EXPECT_EQ(RecordOf(&lock).plain_stack & kPlainMask, 0u) << "no handler yet";
    Raise([&] { Take(&lock); }, one.flags);
    take();  // at the same place: it comes by all the same
    EXPECT_EQ(RecordOf(&lock).plain_stack & kPlainMask, one.says)
        << one.blocked << " with flags " << one.flags;
  }
}

TEST_F(HandlerUseTest, ThePlaceWhereTheSignalIsOpenStays) {
  FakeLock lock;
  Raise([&] { Take(&lock); });
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  Take(&lock);
  const uint32_t blocked = RecordOf(&lock).plain_stack;
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  Take(&lock);
  const uint32_t open = RecordOf(&lock).plain_stack;
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  Take(&lock);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  EXPECT_EQ(blocked & kPlainMask, kPlainBlocked);
  EXPECT_EQ(open & kPlainMask, kPlainOpen);
  EXPECT_NE(blocked & kPlainStack, open & kPlainStack);
  EXPECT_EQ(RecordOf(&lock).plain_stack, open);
}

TEST_F(HandlerUseTest, AHandlerInsideAHookAndOneOnASignalStackAreKnown) {
  FakeLock waited, lock;
  Acquire(&waited, [&] {
    Raise([&] { Take(&lock); });
    return true;
  });
  EXPECT_EQ(Used(kMisuse), 1u);
  std::vector<char> space(1 << 18);
  stack_t stack{}, before{};
  stack.ss_sp = space.data();
  stack.ss_size = space.size();
  ASSERT_EQ(sigaltstack(&stack, &before), 0);
  FakeLock other;
  Raise([&] { Take(&other); }, SA_ONSTACK);
  sigaltstack(&before, nullptr);
  EXPECT_EQ(Used(kMisuse), 2u);
}

TEST_F(HandlerUseTest, AfterTheHandlerTheSameCodeIsOutsideAgain) {
  FakeLock lock;
  const auto take = [&] { Take(&lock); };
  Raise(take);
  take();
  EXPECT_EQ(Used(kMisuse), 1u);
  EXPECT_NE(RecordOf(&lock).plain_stack, 0u);
}

#endif

}  // namespace
}  // namespace lockwarden::ledger
