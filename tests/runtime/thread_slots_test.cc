// Thread slots: claimed, bound, kept while they say something, and used again.
#include "runtime/thread_slots.h"

#include <pthread.h>

#include <atomic>
#include <cstring>
#include <set>
#include <string>
#include <thread>

#include "runtime/exempt_thread.h"
#include "runtime/thread_names.h"
#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

uint32_t SlotOfThisThread() {
  return static_cast<uint32_t>(this_thread.record - TheLedger().Table<ThreadRecord>(kThreads));
}

class ThreadSlotsTest : public SmallLedger {
 protected:
  ThreadRecord& RecordAt(uint32_t slot) { return TheLedger().Table<ThreadRecord>(kThreads)[slot]; }
  // Runs the body in a thread that registers itself; its slot.
  template <class Body>
  uint32_t RunThread(Body body) {
    uint32_t slot = kNoIndex;
    std::thread([&] {
      ASSERT_TRUE(RegisterThisThread());
      slot = SlotOfThisThread();
      body();
    }).join();
    return slot;
  }
};

TEST_F(ThreadSlotsTest, AThreadIsLiveUntilItsEndIsSeen) {
  const uint32_t slot = RunThread([&] {
    EXPECT_EQ(StateOf(this_thread.record->state), ThreadState::kLive);
    EXPECT_NE(this_thread.record->tid, 0u);
  });
  EXPECT_EQ(StateOf(RecordAt(slot).state), ThreadState::kExiting);
  EXPECT_EQ(header().threads_started, 2u);
  EXPECT_EQ(header().threads_exited, 1u);
}

TEST_F(ThreadSlotsTest, AnExemptThreadSaysSoAndIsRecordedNoMore) {
  FakeLock before, after;
  const uint32_t slot = RunThread([&] {
    Acquire(&before);
    lockwarden_exempt_thread_v1();
    EXPECT_FALSE(Acquire(&after));
    EXPECT_EQ(Release(&after), 0u);
    EXPECT_EQ(this_thread.record->exempt, 1u);
    EXPECT_EQ(this_thread.record->acquisitions, 1u);
  });
  EXPECT_EQ(StateOf(RecordAt(slot).state), ThreadState::kExiting) << "its end is seen";
  EXPECT_EQ(FindLock(&after), 0u);
  EXPECT_TRUE(Acquire(&after)) << "others are recorded as before";
  Release(&after);
}

TEST_F(ThreadSlotsTest, TheSlotOfAnEndedThreadIsUsedAgainAndItsCountsAreKept) {
  FakeLock lock;
  std::set<uint32_t> slots, serials;
  constexpr uint32_t kCount = 200;
  for (uint32_t i = 0; i < kCount; ++i) {
    slots.insert(RunThread([&] {
      serials.insert(this_thread.record->serial);
      Acquire(&lock);
      Release(&lock);
    }));
  }
  EXPECT_LT(slots.size(), 20u);
  EXPECT_EQ(serials.size(), kCount);
  uint64_t acquisitions = header().past_acquisitions;
  for (uint32_t slot = 0; slot < Used(kThreads); ++slot) {
    acquisitions += RecordAt(slot).acquisitions;
  }
  EXPECT_EQ(acquisitions, kCount);
  const LockRecord& record = LockAt(IndexOf(FindLock(&lock)));
  EXPECT_EQ(CountedFor(record.lock_class).exclusive, kCount);
  EXPECT_LT(record.acquisitions, kUncounted) << "threads that ended are counted exactly";
}

TEST_F(ThreadSlotsTest, AThreadThatEndedWithALockHeldKeepsItsSlot) {
  FakeLock lock;
  const uint32_t slot = RunThread([&] { Acquire(&lock); });
  for (int i = 0; i < 100; ++i) EXPECT_NE(RunThread([] {}), slot);
  ASSERT_EQ(HeldBy(RecordAt(slot)).size(), 1u);
  // Until the lock is another lock.
  Create(&lock);
  std::set<uint32_t> slots;
  for (int i = 0; i < 100; ++i) slots.insert(RunThread([] {}));
  EXPECT_EQ(slots.count(slot), 1u);
}

TEST_F(ThreadSlotsTest, AThreadThatEndedWithASemaphoresUnitDoesNot) {
  FakeLock semaphore;
  const uint32_t slot = RunThread([&] { Acquire<FakeSemaphore>(&semaphore); });
  std::set<uint32_t> slots;
  for (int i = 0; i < 100; ++i) slots.insert(RunThread([] {}));
  EXPECT_EQ(slots.count(slot), 1u);
}

TEST_F(ThreadSlotsTest, AWaitThatWasNeverFinishedEndsWithItsThread) {
  FakeLock lock;
  lock.taken = 1;
  uint32_t slot = kNoIndex;
  pthread_t thread;
  struct Argument {
    FakeLock* lock;
    uint32_t* slot;
  } argument{&lock, &slot};
  pthread_create(&thread, nullptr, [](void* a) -> void* {
    RegisterThisThread();
    *static_cast<Argument*>(a)->slot = SlotOfThisThread();
    Acquire(static_cast<Argument*>(a)->lock, []() -> bool { pthread_exit(nullptr); });
    return nullptr;
  }, &argument);
  pthread_join(thread, nullptr);
  ASSERT_NE(slot, kNoIndex);
  EXPECT_EQ(RecordAt(slot).frame0.wait.wait, 0u);
}

TEST_F(ThreadSlotsTest, AJoinedThreadsSlotIsFreeAtOnce) {
  uint32_t serial = 0;
  const uint32_t slot = RunThread([&] { serial = this_thread.record->serial; });
  ThreadWasJoined(slot, serial, 0);
  EXPECT_EQ(StateOf(RecordAt(slot).state), ThreadState::kFree);
}

// It was joined before it had a record: looked for again by its descriptor.
TEST_F(ThreadSlotsTest, AThreadThatWasJoinedBeforeItHadARecordIsFoundAfterIt) {
  const uint32_t slot = RunThread([] {});
  const uint64_t descriptor = RecordAt(slot).pthread_self;
  ThreadWasJoined(kNoIndex, 0, descriptor);
  EXPECT_EQ(StateOf(RecordAt(slot).state), ThreadState::kFree);
  // The same descriptor may be a living thread's by then.
  ThreadWasJoined(kNoIndex, 0, Me().pthread_self);
  EXPECT_EQ(StateOf(Me().state), ThreadState::kLive);
}

TEST_F(ThreadSlotsTest, AJoinedThreadThatHeldALockKeepsItsRecordAndSaysThatItWasJoined) {
  FakeLock lock, robust;
  uint32_t serial = 0;
  const uint32_t slot = RunThread([&] {
    Acquire(&lock);
    serial = this_thread.record->serial;
  });
  ThreadWasJoined(slot, serial, 0);
  EXPECT_EQ(StateOf(RecordAt(slot).state), ThreadState::kExiting);
  EXPECT_EQ(RecordAt(slot).flags, kThreadJoined);
  // A robust mutex is handed on.
  const uint32_t other = RunThread([&] {
    Acquire<FakeObject<LockKind::kMutex, Mode::kExclusive, kRobust>>(&robust);
    serial = this_thread.record->serial;
  });
  ThreadWasJoined(other, serial, 0);
  EXPECT_EQ(StateOf(RecordAt(other).state), ThreadState::kFree);
}

std::string NameAt(const ThreadRecord& record) {
  const uint64_t words[2] = {record.name[0], record.name[1]};
  return std::string(reinterpret_cast<const char*>(words), strnlen(reinterpret_cast<const char*>(words), 16));
}

TEST_F(ThreadSlotsTest, AThreadHasTheNameThatItOrAnotherGave) {
  NameThread(Me().pthread_self, "first name");
  EXPECT_EQ(NameAt(Me()), "first name");
  NameThread(Me().pthread_self, "a second, too long");
  EXPECT_EQ(NameAt(Me()), "a second, too l");
  NameThread(Me().pthread_self, "");
  EXPECT_EQ(NameAt(Me()), "");
}

// pthread_create has returned, and the new thread has not run yet.
TEST_F(ThreadSlotsTest, ANameThatComesBeforeTheRecordWaitsForIt) {
  std::atomic<bool> named{false};
  std::string name, again;
  std::thread thread([&] {
    while (!named) std::this_thread::yield();
    RegisterThisThread();
    name = NameAt(*this_thread.record);
    this_thread.record->name[0] = 0;
    TakeEarlyName(*this_thread.record);
    again = NameAt(*this_thread.record);
  });
  NameThread(static_cast<uint64_t>(thread.native_handle()), "early");
  named = true;
  thread.join();
  EXPECT_EQ(name, "early");
  EXPECT_EQ(again, "") << "it was taken";
}

// Between the end of a join and this word of it, the slot may have been found free.
TEST_F(ThreadSlotsTest, AJoinThatComesLateDoesNotFreeTheNextOwnersSlot) {
  FakeLock lock;
  const uint32_t slot = SlotOfThisThread();
  Acquire(&lock);
  Release(&lock);
  ThreadWasJoined(slot, Me().serial + 1, 0);
  EXPECT_EQ(StateOf(Me().state), ThreadState::kLive);
  EXPECT_EQ(Me().acquisitions, 1u);
  EXPECT_NE(Me().pthread_self, 0u);
}

TEST_F(ThreadSlotsTest, OfTwoThreadsWithOnePthreadTheOneThatLivesIsFound) {
  const uint64_t mine = static_cast<uint64_t>(pthread_self());
  EXPECT_EQ(FindThreadSlot(mine), SlotOfThisThread());
  // One that is gone, whose descriptor this thread has now; before and after it in the table.
  const uint32_t gone = RunThread([] {});
  RecordAt(gone).pthread_self = mine;
  EXPECT_EQ(FindThreadSlot(mine), SlotOfThisThread());
  Me().state = static_cast<uint32_t>(ThreadState::kExiting);
  RecordAt(gone).state = static_cast<uint32_t>(ThreadState::kLive);
  EXPECT_EQ(FindThreadSlot(mine), gone);
  RecordAt(gone).state = static_cast<uint32_t>(ThreadState::kExiting);
  EXPECT_EQ(FindThreadSlot(mine), gone) << "both have ended: the newer";
  Me().state = static_cast<uint32_t>(ThreadState::kLive);
  EXPECT_EQ(FindThreadSlot(12345), kNoIndex);
}

TEST_F(ThreadSlotsTest, ASlotThatWasGivenBackIsUsedAgain) {
  const uint32_t slot = ClaimThreadSlot(1);
  EXPECT_EQ(StateOf(RecordAt(slot).state), ThreadState::kStarting);
  EXPECT_EQ(RecordAt(slot).creator_serial, Me().serial);
  AbandonThreadSlot(slot);
  std::set<uint32_t> slots;
  for (int i = 0; i < 10; ++i) slots.insert(RunThread([] {}));
  EXPECT_EQ(slots.count(slot), 1u);
}

Capacities WithFewThreads() {
  Capacities few = Capacities{}.Scaled(8);
  few.threads = 4;
  return few;
}
class FullThreadTableTest : public SmallLedger {
 protected:
  FullThreadTableTest() : SmallLedger(WithFewThreads()) {}
};

TEST_F(FullThreadTableTest, ThreadsBeyondTheTableRunUnrecordedAndAreCounted) {
  std::atomic<int> recorded{0}, started{0}, ran{0};
  std::atomic<bool> end{false};
  std::thread threads[8];
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      FakeLock lock;
      recorded += Acquire(&lock, [&] { return ++ran, true; });
      Release(&lock);
      ++started;
      while (!end) std::this_thread::yield();
    });
  }
  while (started != 8) std::this_thread::yield();
  end = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(recorded, 3);
  EXPECT_EQ(ran, 8);
  EXPECT_GE(header().unrecorded_calls, 5u);
  EXPECT_GE(Dropped(kThreads), 5u);
}

// To look for a record is to ask the kernel about every other thread.
TEST_F(FullThreadTableTest, AThreadWithoutARecordSeldomLooksForOneAndFindsItWhenThereIs) {
  std::atomic<int> started{0};
  std::atomic<bool> end{false};
  std::thread crowd[3];
  for (std::thread& thread : crowd) {
    thread = std::thread([&] {
      FakeLock lock;
      Acquire(&lock);
      Release(&lock);
      ++started;
      while (!end) std::this_thread::yield();
    });
  }
  while (started != 3) std::this_thread::yield();
  std::thread([&] {
    constexpr int kHooks = 5000;
    FakeLock lock;
    for (int i = 0; i < kHooks; ++i) EXPECT_FALSE(Acquire(&lock));
    EXPECT_EQ(header().unrecorded_calls, static_cast<uint64_t>(kHooks));
    EXPECT_LT(Dropped(kThreads), 20u);
    end = true;
    for (std::thread& thread : crowd) thread.join();
    bool recorded = false;
    for (int i = 0; i < kHooks && !recorded; ++i) recorded = Acquire(&lock);
    EXPECT_TRUE(recorded);
  }).join();
}

// Many threads that come and go at once, each with its own record while it lives.
TEST_F(ThreadSlotsTest, NoTwoLivingThreadsEverShareARecord) {
  constexpr int kWorkers = 4, kRounds = 300;
  std::atomic<int> shared{0};
  std::thread workers[kWorkers];
  for (std::thread& worker : workers) {
    worker = std::thread([&] {
      for (int i = 0; i < kRounds; ++i) {
        uint32_t slot = 0, serial = 0;
        std::thread([&] {
          FakeLock lock;
          Acquire(&lock);
          slot = SlotOfThisThread();
          serial = this_thread.record->serial;
          for (int look = 0; look < 20; ++look) {
            shared += HeldBy(*this_thread.record).size() != 1;
            shared += this_thread.record->serial != serial;
            std::this_thread::yield();
          }
          Release(&lock);
        }).join();
        ThreadWasJoined(slot, serial, 0);  // others may have found it free first
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(shared, 0);
  EXPECT_EQ(header().past_acquisitions + [&] {
    uint64_t sum = 0;
    for (uint32_t slot = 0; slot < Used(kThreads); ++slot) sum += RecordAt(slot).acquisitions;
    return sum;
  }(), kWorkers * kRounds);
}

}  // namespace
}  // namespace lockwarden::ledger
