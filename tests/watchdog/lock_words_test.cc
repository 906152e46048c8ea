// The layouts against glibc itself: real locks of this process, read from "outside".
#include "watchdog/lock_words.h"

#include <cxxabi.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>

namespace lockwarden {
namespace {

using Says = LockWord::Says;

class LockWordsTest : public testing::Test {
 protected:
  LockWord Read(ledger::LockKind kind, const void* address) {
    LockInfo info;
    info.kind = kind;
    info.address = reinterpret_cast<uint64_t>(address);
    return ReadLockWord(kernel_.get(), info);
  }
  const uint32_t tid_ = static_cast<uint32_t>(syscall(SYS_gettid));
  std::unique_ptr<KernelView> kernel_ = MakeProcKernelView(getpid());
};

TEST_F(LockWordsTest, AMutexNamesItsOwner) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  EXPECT_EQ(Read(ledger::LockKind::kMutex, &mutex).says, Says::kFree);
  pthread_mutex_lock(&mutex);
  const LockWord word = Read(ledger::LockKind::kMutex, &mutex);
  EXPECT_EQ(word.says, Says::kOwned);
  EXPECT_EQ(word.owner, tid_);
  EXPECT_FALSE(word.recursive || word.robust || word.shared);
  pthread_mutex_unlock(&mutex);
}

TEST_F(LockWordsTest, EverySortOfMutexIsToldApart) {
  struct {
    int type, robust, protocol, shared;
  } sorts[] = {{PTHREAD_MUTEX_RECURSIVE, 0, 0, 0}, {PTHREAD_MUTEX_NORMAL, 1, 0, 0},
               {PTHREAD_MUTEX_NORMAL, 0, PTHREAD_PRIO_INHERIT, 0},
               {PTHREAD_MUTEX_ERRORCHECK, 0, 0, 1}};
  for (const auto& sort : sorts) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, sort.type);
    pthread_mutexattr_setrobust(&attributes,
                                sort.robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
    pthread_mutexattr_setprotocol(&attributes, sort.protocol);
    pthread_mutexattr_setpshared(&attributes, sort.shared);
    pthread_mutex_t mutex;
    ASSERT_EQ(pthread_mutex_init(&mutex, &attributes), 0);
    pthread_mutex_lock(&mutex);
    const LockWord word = Read(ledger::LockKind::kMutex, &mutex);
    EXPECT_EQ(word.says, Says::kOwned);
    EXPECT_EQ(word.owner, tid_);
    EXPECT_EQ(word.recursive, sort.type == PTHREAD_MUTEX_RECURSIVE);
    EXPECT_EQ(word.robust, sort.robust != 0);
    // glibc marks robust ones shared, too: the kernel wakes their waiters.
    EXPECT_EQ(word.shared, sort.shared != 0 || sort.robust != 0);
    pthread_mutex_unlock(&mutex);
    EXPECT_EQ(Read(ledger::LockKind::kMutex, &mutex).says, Says::kFree);
    pthread_mutex_destroy(&mutex);
    pthread_mutexattr_destroy(&attributes);
  }
}

TEST_F(LockWordsTest, ARwLockCountsReadersAndNamesItsWriter) {
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_t lock;
  pthread_rwlock_init(&lock, &attributes);
  EXPECT_EQ(Read(ledger::LockKind::kRwLock, &lock).says, Says::kFree);
  EXPECT_TRUE(Read(ledger::LockKind::kRwLock, &lock).writer_preferred);
  pthread_rwlock_rdlock(&lock);
  pthread_rwlock_rdlock(&lock);
  LockWord word = Read(ledger::LockKind::kRwLock, &lock);
  EXPECT_EQ(word.says, Says::kReaders);
  EXPECT_EQ(word.readers, 2u);
  EXPECT_FALSE(word.writer_waits);
  pthread_rwlock_unlock(&lock);
  pthread_rwlock_unlock(&lock);
  EXPECT_EQ(Read(ledger::LockKind::kRwLock, &lock).says, Says::kFree);
  pthread_rwlock_wrlock(&lock);
  word = Read(ledger::LockKind::kRwLock, &lock);
  EXPECT_EQ(word.says, Says::kOwned);
  EXPECT_EQ(word.owner, tid_);
  pthread_rwlock_unlock(&lock);
  EXPECT_EQ(Read(ledger::LockKind::kRwLock, &lock).says, Says::kFree);
  pthread_rwlock_destroy(&lock);
  pthread_rwlockattr_destroy(&attributes);
}

TEST_F(LockWordsTest, ASemaphoreSaysWhetherUnitsAreLeft) {
  sem_t semaphore;
  sem_init(&semaphore, 0, 1);
  EXPECT_EQ(Read(ledger::LockKind::kSemaphore, &semaphore).says, Says::kUnits);
  EXPECT_FALSE(Read(ledger::LockKind::kSemaphore, &semaphore).shared);
  sem_wait(&semaphore);
  EXPECT_EQ(Read(ledger::LockKind::kSemaphore, &semaphore).says, Says::kNoUnits);
  sem_destroy(&semaphore);
  sem_init(&semaphore, 1, 1);
  EXPECT_TRUE(Read(ledger::LockKind::kSemaphore, &semaphore).shared);
  sem_destroy(&semaphore);
}

TEST_F(LockWordsTest, OurOwnLockNamesItsOwnerBesideTheWaitersBit) {
  alignas(16) uint32_t words[4] = {0x80000000u | 1234u, 0, 0, 0};
  const LockWord word = Read(ledger::LockKind::kLock, words);
  EXPECT_EQ(word.says, Says::kOwned);
  EXPECT_EQ(word.owner, 1234u);
}

TEST_F(LockWordsTest, ASpinLockSaysThatItIsTakenButNotByWhom) {
  pthread_spinlock_t lock;
  pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE);
  const void* address = const_cast<const int*>(&lock);
  EXPECT_EQ(Read(ledger::LockKind::kSpin, address).says, Says::kFree);
  pthread_spin_lock(&lock);
  EXPECT_EQ(Read(ledger::LockKind::kSpin, address).says, Says::kHeld);
  EXPECT_EQ(Read(ledger::LockKind::kSpin, address).owner, 0u);
  pthread_spin_unlock(&lock);
  EXPECT_EQ(Read(ledger::LockKind::kSpin, address).says, Says::kFree);
}

#ifndef LOCKWARDEN_SANITIZES_THREAD  // which keeps words of its own there
pthread_once_t control = PTHREAD_ONCE_INIT;
std::function<void()>* in_routine;

TEST_F(LockWordsTest, AOnceControlIsHeldWhileItsRoutineRuns) {
  const auto says = [&] { return Read(ledger::LockKind::kOnce, &control).says; };
  Says within = Says::kNothing;
  std::function<void()> look = [&] { within = says(); };
  in_routine = &look;
  EXPECT_EQ(says(), Says::kFree);
  pthread_once(&control, [] { (*in_routine)(); });
  EXPECT_EQ(within, Says::kHeld);
  EXPECT_EQ(says(), Says::kFree);
}
#endif

TEST_F(LockWordsTest, AGuardIsHeldUntilItsStaticIsThere) {
  abi::__guard guard{};
  EXPECT_EQ(Read(ledger::LockKind::kGuard, &guard).says, Says::kFree);
  ASSERT_EQ(abi::__cxa_guard_acquire(&guard), 1);
  EXPECT_EQ(Read(ledger::LockKind::kGuard, &guard).says, Says::kHeld);
  abi::__cxa_guard_release(&guard);
  EXPECT_EQ(Read(ledger::LockKind::kGuard, &guard).says, Says::kFree);
}

TEST_F(LockWordsTest, MemoryThatIsGoneSaysNothing) {
  const LockWord word = Read(ledger::LockKind::kMutex, reinterpret_cast<void*>(64));
  EXPECT_EQ(word.says, Says::kNothing);
  EXPECT_TRUE(word.unreadable);
}

}  // namespace
}  // namespace lockwarden
