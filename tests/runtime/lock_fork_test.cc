// Every lock across fork: the child's only thread is the one that held them, though the
// kernel calls it by another id.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "lockwarden/lockwarden.h"

namespace lockwarden {
namespace {

int StatusOf(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

// Locked in the child and unlocked there; then the parent's, which it held.
template <class L>
[[noreturn]] void UseInChild(L* held) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  alarm(30);
  L own;
  own.lock();
  own.unlock();
  if (!held->locked()) _exit(1);
  held->unlock();
  if (held->locked()) _exit(2);
  held->lock();
  held->unlock();
  _exit(0);
}

template <class T>
class LockForkTest : public testing::Test {};
using Types = testing::Types<Lock, RLock, SharedLock>;
TYPED_TEST_SUITE(LockForkTest, Types);

TYPED_TEST(LockForkTest, WhatTheForkingThreadHeldItsChildMayRelease) {
  TypeParam lock;
  lock.lock();
  const pid_t child = fork();
  if (child == 0) UseInChild(&lock);
  EXPECT_EQ(StatusOf(child), 0);
  EXPECT_TRUE(lock.locked());
  lock.unlock();
}

TYPED_TEST(LockForkTest, SoItIsAfterAForkThatRunsNoHandlers) {
  TypeParam lock;
  lock.lock();
  const pid_t child = _Fork();
  if (child == 0) UseInChild(&lock);
  EXPECT_EQ(StatusOf(child), 0);
  lock.unlock();
}

TYPED_TEST(LockForkTest, SoItIsInAThreadThatIsNotTheMainOne) {
  std::thread([] {
    TypeParam lock;
    lock.lock();
    const pid_t child = fork();
    if (child == 0) UseInChild(&lock);
    EXPECT_EQ(StatusOf(child), 0);
    lock.unlock();
  }).join();
}

// The usual way to keep a lock usable in children.
Lock guarded("guarded by fork handlers");
void LockGuarded() ABSL_NO_THREAD_SAFETY_ANALYSIS { guarded.lock(); }
void UnlockGuarded() ABSL_NO_THREAD_SAFETY_ANALYSIS { guarded.unlock(); }

TEST(LockForkHandlersTest, LocksTakenAroundTheForkWorkInTheChild) {
  ASSERT_EQ(pthread_atfork(LockGuarded, UnlockGuarded, UnlockGuarded), 0);
  for (int i = 0; i < 3; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(30);
      guarded.lock();
      guarded.unlock();
      const pid_t grandchild = fork();
      if (grandchild == 0) _exit(guarded.locked() ? 1 : 0);
      _exit(StatusOf(grandchild));
    }
    EXPECT_EQ(StatusOf(child), 0);
    EXPECT_FALSE(guarded.locked());
  }
}

}  // namespace
}  // namespace lockwarden
