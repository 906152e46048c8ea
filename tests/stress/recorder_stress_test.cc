// The recorder under many threads at once, while a reader looks on: what a reader can know
// must be true, and in the end everything must have been counted. Bounded by count; the
// sanitizers watch.
#include <pthread.h>

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "runtime/start_info.h"
#include "runtime/thread_slots.h"
#include "tests/runtime/fake_lock.h"
#include "tests/runtime/small_ledger.h"
#include "watchdog/snapshot.h"

namespace lockwarden {
namespace {

using ledger::FakeLock;

// A ledger for as long as a test needs one, as often as it needs one.
class OneLedger : public ledger::SmallLedger {
 public:
  explicit OneLedger(ledger::Capacities capacities = ledger::Capacities{}.Scaled(6))
      : SmallLedger(capacities), size_(ledger::Ledger::SizeFor(capacities)) {}
  void TestBody() override {}
  std::unique_ptr<LedgerReader> Reader() {
    return LedgerReader::FromMemory(ledger::TheLedger().base(), size_).value();
  }

 private:
  uint64_t size_;
};

// Lets its threads go at the same moment, as nearly as can be.
class StartingLine {
 public:
  explicit StartingLine(int count) : missing_(count) {}
  void Wait() {
    missing_.fetch_sub(1);
    while (missing_.load() > 0) std::this_thread::yield();
  }

 private:
  std::atomic<int> missing_;
};

TEST(RecorderStressTest, NoTwoClaimersGetTheSameSlotOfAFreshLedger) {
  constexpr int kLedgers = 300, kClaimers = 4, kClaims = 4;
  for (int round = 0; round < kLedgers; ++round) {
    OneLedger ledger(ledger::Capacities{}.Scaled(12));
    StartingLine line(kClaimers);
    uint32_t claimed[kClaimers][kClaims];
    std::vector<std::thread> claimers;
    for (auto& mine : claimed) {
      claimers.emplace_back([&line, &mine] {
        line.Wait();
        for (uint32_t& slot : mine) slot = ledger::ClaimThreadSlot(1);
      });
    }
    for (std::thread& claimer : claimers) claimer.join();
    std::multiset<uint32_t> slots;
    for (auto& mine : claimed) slots.insert(std::begin(mine), std::end(mine));
    for (const uint32_t slot : slots) ASSERT_EQ(slots.count(slot), 1u) << "slot " << slot;
  }
}

// What a started thread runs must be what its creator asked for.
TEST(RecorderStressTest, EveryStartedThreadRunsItsOwnRoutine) {
  constexpr int kLedgers = 60, kCreators = 4, kThreads = 6;
  static std::atomic<long> wrong;
  struct Started {
    pthread_t thread;
    ledger::StartInfo* info;
  };
  const auto start = [](void* argument) -> void* {
    const ledger::StartInfo info = *static_cast<ledger::StartInfo*>(argument);
    ledger::BindStartedThread(static_cast<ledger::StartInfo*>(argument));
    return info.routine(info.argument);
  };
  wrong = 0;
  for (int round = 0; round < kLedgers; ++round) {
    OneLedger ledger;
    StartingLine line(kCreators);
    std::vector<std::thread> creators;
    for (int c = 0; c < kCreators; ++c) {
      creators.emplace_back([&line, start] {
        line.Wait();
        for (int i = 0; i < kThreads; ++i) {
          pthread_t thread;
          int mine = 0;
          ledger::StartInfo* info = ledger::PrepareThreadStart(
              [](void* argument) -> void* { return ++*static_cast<int*>(argument), argument; }, &mine,
              0);
          ASSERT_NE(info, nullptr);
          ASSERT_EQ(pthread_create(&thread, nullptr, start, info), 0);
          void* result = nullptr;
          ASSERT_EQ(pthread_join(thread, &result), 0);
          if (result != &mine || mine != 1) ++wrong;
        }
      });
    }
    for (std::thread& creator : creators) creator.join();
  }
  EXPECT_EQ(wrong, 0);
}

// A lock with a real one inside, whose true owner a reader can ask for.
struct OwnedLock {
  FakeLock recorded;
  pthread_mutex_t real = PTHREAD_MUTEX_INITIALIZER;
  std::atomic<uint32_t> owner{0};  // serial of the holding thread; 0: nobody
};

void Lock(OwnedLock* lock, uint32_t me) {
  ledger::Acquire(&lock->recorded, [lock, me] {
    pthread_mutex_lock(&lock->real);
    lock->owner = me;
    return true;
  });
}
bool TryLock(OwnedLock* lock, uint32_t me) {
  bool got = false;
  const auto attempt = [&] {
    got = pthread_mutex_trylock(&lock->real) == 0;
    if (got) lock->owner = me;
    return got;
  };
  ledger::Acquire(&lock->recorded, attempt, ledger::kTry);
  return got;
}
void Unlock(OwnedLock* lock) {
  ledger::Release(&lock->recorded, [lock] {
    lock->owner = 0;
    pthread_mutex_unlock(&lock->real);
  });
}

// A thread as a hook would start it, which locks in order of the locks' place.
uint64_t WorkInAThread(std::vector<OwnedLock>* locks, uint64_t seed, int rounds) {
  EXPECT_TRUE(ledger::RegisterThisThread());
  const uint32_t me = ledger::this_thread.record->serial;
  std::minstd_rand random(static_cast<uint32_t>(seed));
  uint64_t acquired = 0;
  for (int i = 0; i < rounds; ++i) {
    const size_t first = random() % (locks->size() / 2);
    const size_t second = first + 1 + random() % (locks->size() / 2);
    Lock(&(*locks)[first], me);
    ++acquired;
    if (random() % 4 == 0) {
      if (TryLock(&(*locks)[second], me)) {
        ++acquired;
        Unlock(&(*locks)[second]);
      }
    } else {
      Lock(&(*locks)[second], me);
      ++acquired;
      Unlock(&(*locks)[second]);
    }
    Unlock(&(*locks)[first]);
  }
  return acquired;
}

bool SameMoment(const ThreadInfo& a, const ThreadInfo& b) {
  return !a.torn && !b.torn && a.serial == b.serial && a.acquisitions == b.acquisitions &&
         a.waits_begun == b.waits_begun && a.state == b.state;
}

// Looks twice; what stood in the held list both times, with no counter moved between, was
// held at every moment between. The number of holds that could be checked.
uint64_t CheckHeldLists(const LedgerReader& reader, std::vector<OwnedLock>* locks) {
  uint64_t checked = 0;
  const Snapshot before = reader.Take();
  EXPECT_EQ(before.rejected, 0u);
  for (const ThreadInfo& thread : before.threads) {
    for (const HeldLock& held : thread.held) {
      const uint64_t address = reader.Lock(held.lock).address;
      for (OwnedLock& lock : *locks) {
        if (reinterpret_cast<uint64_t>(&lock.recorded) != address) continue;
        const uint32_t owner = lock.owner;
        const ThreadInfo after = reader.Thread(thread.slot);
        bool still = false;
        for (const HeldLock& again : after.held) still = still || again.lock == held.lock;
        if (!still || !SameMoment(thread, after)) continue;
        EXPECT_EQ(owner, thread.serial) << "a hold that is none";
        ++checked;
      }
    }
  }
  return checked;
}

TEST(RecorderStressTest, AReaderNeverSeesAHoldThatIsNone) {
  constexpr int kThreads = 4, kRounds = 10000;
  int waves = 0;
  OneLedger ledger;
  const std::unique_ptr<LedgerReader> reader = ledger.Reader();
  std::vector<OwnedLock> locks(16);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> acquired{0}, checked{0};
  std::thread looking([&] {
    while (!done) checked += CheckHeldLists(*reader, &locks);
  });
  // Waves, so that slots and their records are used again by other threads.
  // A busy machine may let nobody look for a while.
  for (; waves < 12 || (checked == 0 && waves < 500); ++waves) {
    std::vector<std::thread> workers;
    for (int i = 0; i < kThreads; ++i) {
      workers.emplace_back([&, seed = waves * kThreads + i + 1] {
        acquired += WorkInAThread(&locks, static_cast<uint64_t>(seed), kRounds);
      });
    }
    for (std::thread& worker : workers) worker.join();
  }
  done = true;
  looking.join();
  const Snapshot end = reader->Take();
  EXPECT_EQ(end.acquisitions, acquired);
  const uint64_t threads = static_cast<uint64_t>(waves) * kThreads;
  EXPECT_EQ(end.threads_started, 1 + threads);
  EXPECT_EQ(end.threads_exited, threads);
  EXPECT_EQ(end.held_dropped + end.nested_dropped + end.unrecorded_calls, 0u);
  EXPECT_EQ(end.rejected, 0u);
  for (const TableUse& table : end.tables) EXPECT_EQ(table.dropped, 0u) << table.name;
  for (const ThreadInfo& thread : end.threads) EXPECT_TRUE(thread.held.empty());
  // Every edge leads from an earlier lock to a later one: the order they were taken in.
  const std::vector<EdgeInfo> edges = reader->Edges(0, 10000);
  EXPECT_GT(edges.size(), 50u);
  for (const EdgeInfo& edge : edges) {
    EXPECT_LT(reader->Lock(edge.from).address, reader->Lock(edge.to).address);
  }
  EXPECT_GT(checked, 0u);
}

}  // namespace
}  // namespace lockwarden
