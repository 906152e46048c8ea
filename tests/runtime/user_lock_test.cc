// Annotated locks: what is published between the calls of annotate.h, whatever the lock's own
// code calls in between. No thread ever blocks.
#include "runtime/user_lock.h"

#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

// As the hooks of annotate.cc.
__attribute__((noinline)) void AboutToWait(const void* lock) {
  UserAboutToWait(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
__attribute__((noinline)) void Acquired(const void* lock) {
  UserAcquired(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
__attribute__((noinline)) void Released(const void* lock) {
  UserReleased(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}

class UserLockTest : public SmallLedger {
 protected:
  PackedRef Waits(uint32_t frame = 0) { return Me().FrameAt(frame).wait.wait; }
  uint32_t IndexOfUser(const void* lock) { return IndexOf(FindLock(lock)); }
  FakeLock user_, other_, mutex_;
};

TEST_F(UserLockTest, AWaitIsPublishedUntilTheLockIsThere) {
  AboutToWait(&user_);
  EXPECT_EQ(IndexOf(Waits()), IndexOfUser(&user_));
  EXPECT_EQ(ModeOf(Waits()), Mode::kExclusive);
  EXPECT_EQ(KindOf(LockAt(IndexOfUser(&user_)).kind_and_flags), LockKind::kUser);
  EXPECT_TRUE(HeldBy(Me()).empty());
  Acquired(&user_);
  EXPECT_EQ(Waits(), 0u);
  ASSERT_EQ(IndexesHeldBy(Me()), std::vector{IndexOfUser(&user_)});
  EXPECT_EQ(HeldBy(Me())[0].mode_bits & (kTry | kTimed), 0);
  Released(&user_);
  EXPECT_TRUE(HeldBy(Me()).empty());
  EXPECT_EQ(LockAt(IndexOfUser(&user_)).foreign_releases, 0u);
  const Counted counted = CountedFor(LockAt(IndexOfUser(&user_)).lock_class);
  EXPECT_EQ(counted.exclusive, 1u);
  EXPECT_EQ(counted.contentions, 1u);
}

TEST_F(UserLockTest, WhatTheLocksOwnCodeCallsLeavesTheWaitAlone) {
  AboutToWait(&user_);
  Acquire(&mutex_, [&] {
    EXPECT_NE(Waits(1), 0u);
    EXPECT_EQ(IndexOf(Waits(0)), IndexOfUser(&user_));
    return true;
  });
  EXPECT_EQ(IndexOf(Waits()), IndexOfUser(&user_));
  Release(&mutex_);
  EXPECT_EQ(IndexOf(Waits()), IndexOfUser(&user_));
  Acquired(&user_);
  EXPECT_EQ(IndexesHeldBy(Me()), std::vector{IndexOfUser(&user_)});
  EXPECT_EQ(this_thread.Depth(), 0u);
  Released(&user_);
}

TEST_F(UserLockTest, AMutexTakenWhileWaitingAndKeptIsStillKnown) {
  AboutToWait(&user_);
  Acquire(&mutex_);
  Acquired(&user_);
  EXPECT_EQ(HeldBy(Me()).size(), 2u);
  EXPECT_NE(Release(&mutex_), 0u);
  Released(&user_);
  EXPECT_TRUE(HeldBy(Me()).empty());
}

TEST_F(UserLockTest, AWaitThatWasLeftWithoutAWordEndsWithTheNext) {
  AboutToWait(&user_);
  AboutToWait(&other_);
  EXPECT_EQ(IndexOf(Waits()), IndexOfUser(&other_));
  Acquired(&other_);
  EXPECT_EQ(Waits(), 0u);
  EXPECT_EQ(this_thread.Depth(), 0u);
  Released(&other_);
}

TEST_F(UserLockTest, TakenAtOnceItIsHeldAsByATryAndHasNoOrder) {
  Acquire(&mutex_);
  Acquired(&user_);
  EXPECT_NE(HeldBy(Me())[1].mode_bits & kTry, 0);
  EXPECT_EQ(Used(kEdges), 0u);
  Released(&user_);
  AboutToWait(&user_);
  EXPECT_EQ(Used(kEdges), 1u);  // before it could block
  Acquired(&user_);
  Released(&user_);
  Release(&mutex_);
}

TEST_F(UserLockTest, ALockThatOthersReleaseProvesNothing) {
  Acquired(&user_);
  Released(&user_);
  Released(&user_);
  EXPECT_EQ(LockAt(IndexOfUser(&user_)).foreign_releases, 1u);
}

TEST_F(UserLockTest, AReentrantOneIsHeldUntilItsLastRelease) {
  Acquired(&user_);
  Acquired(&user_);
  Released(&user_);
  EXPECT_EQ(HeldBy(Me()).size(), 1u);
  Released(&user_);
  EXPECT_TRUE(HeldBy(Me()).empty());
}

TEST_F(UserLockTest, NamesAreKeptForALife) {
  const uint64_t site = LOCKWARDEN_SITE, cfa = LOCKWARDEN_CFA;
  UserNamed(&user_, "arena", site, cfa);
  UserNamed(&user_, "another", site, cfa);
  const char* names = TheLedger().Table<char>(kNames);
  EXPECT_STREQ(names + LockAt(IndexOfUser(&user_)).name, "arena");
  UserDestroyed(&user_, site, cfa);
  EXPECT_EQ(FindLock(&user_), 0u);
}

}  // namespace
}  // namespace lockwarden::ledger
