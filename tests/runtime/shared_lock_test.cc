// SharedLock: who may be in together, who waits for whom, and the ways from mode to mode.
#include "lockwarden/shared_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <shared_mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/runtime/waiting.h"

namespace lockwarden {
namespace {

using namespace std::chrono_literals;
using ledger::Mode;

struct Others {
  bool read = false, upgrade = false, write = false;
  bool operator==(const Others&) const = default;
};
constexpr Others kNobody{}, kAnybody{true, true, true}, kReaders{true, false, false},
    kNoWriter{true, true, false};

// What another thread could take just now.
Others OthersMay(SharedLock& lock) {
  Others may;
  std::thread([&] {
    if ((may.read = lock.try_lock_shared())) lock.unlock_shared();
    if ((may.upgrade = lock.try_lock_upgrade())) lock.unlock_upgrade();
    if ((may.write = lock.try_lock())) lock.unlock();
  }).join();
  return may;
}

std::errc CodeOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return static_cast<std::errc>(error.code().value());
  }
  return std::errc{};
}

// How this thread's newest hold is recorded; kNone: it has none.
Mode RecordedMode() {
  if (HoldsOfThisThread() == 0) return Mode::kNone;
  const ledger::ThreadRecord& record = *ledger::this_thread.record;
  return ledger::ModeOf(record.held[record.frame0.held_count - 1].lock);
}

// Until no reader can come in: a writer has closed it, which is after its wait was recorded.
void AwaitClosed(SharedLock& lock) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (OthersMay(lock).read) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
}

TEST(SharedLockTest, EachModeKeepsOutWhatItMust) {
  SharedLock lock;
  EXPECT_EQ(OthersMay(lock), kAnybody);
  lock.lock_shared();
  EXPECT_EQ(OthersMay(lock), kNoWriter);
  EXPECT_EQ(RecordedMode(), Mode::kShared);
  lock.unlock_shared();
  lock.lock_upgrade();
  EXPECT_EQ(OthersMay(lock), kReaders);
  EXPECT_EQ(RecordedMode(), Mode::kUpgrade);
  lock.unlock_upgrade();
  lock.lock();
  EXPECT_EQ(OthersMay(lock), kNobody);
  EXPECT_EQ(RecordedMode(), Mode::kExclusive);
  lock.unlock();
  EXPECT_EQ(OthersMay(lock), kAnybody);
  EXPECT_EQ(RecordedMode(), Mode::kNone);
  EXPECT_FALSE(lock.locked());
}

TEST(SharedLockTest, ItChangesModeInPlace) {
  SharedLock lock;
  lock.lock_upgrade();
  lock.unlock_upgrade_and_lock();
  EXPECT_EQ(OthersMay(lock), kNobody);
  EXPECT_EQ(RecordedMode(), Mode::kExclusive);
  lock.unlock_and_lock_upgrade();
  EXPECT_EQ(OthersMay(lock), kReaders);
  EXPECT_EQ(RecordedMode(), Mode::kUpgrade);
  lock.unlock_upgrade_and_lock_shared();
  EXPECT_EQ(OthersMay(lock), kNoWriter);
  EXPECT_EQ(RecordedMode(), Mode::kShared);
  lock.unlock_shared();
  lock.lock();
  lock.unlock_and_lock_shared();
  EXPECT_EQ(OthersMay(lock), kNoWriter);
  lock.unlock_shared();
  EXPECT_EQ(HoldsOfThisThread(), 0);
  EXPECT_EQ(OthersMay(lock), kAnybody);
}

TEST(SharedLockTest, AnUpgradeWaitsForReadersAndKeepsNewOnesOut) {
  SharedLock lock;
  lock.lock_shared();
  std::atomic<bool> gave_up{false}, writes{false};
  std::thread upgrader([&] {
    lock.lock_upgrade();
    EXPECT_FALSE(lock.try_unlock_upgrade_and_lock());
    EXPECT_FALSE(lock.try_unlock_upgrade_and_lock_for(1ms));
    EXPECT_FALSE(lock.try_unlock_upgrade_and_lock_until(std::chrono::system_clock::now()));
    EXPECT_EQ(RecordedMode(), Mode::kUpgrade);
    gave_up = true;
    gave_up.notify_one();
    lock.unlock_upgrade_and_lock();
    writes = true;
    lock.unlock();
  });
  gave_up.wait(false);
  AwaitWaiters(&lock, 1);
  AwaitClosed(lock);
  EXPECT_FALSE(writes);
  lock.unlock_shared();
  upgrader.join();
  EXPECT_EQ(OthersMay(lock), kAnybody);
}

TEST(SharedLockTest, AnUpgradeThatGivesUpLetsReadersInAgain) {
  SharedLock lock;
  lock.lock_shared();
  std::thread upgrader([&] {
    lock.lock_upgrade();
    EXPECT_FALSE(lock.try_unlock_upgrade_and_lock_for(1ms));
    EXPECT_EQ(OthersMay(lock), kReaders);
    lock.unlock_upgrade();
  });
  upgrader.join();
  lock.unlock_shared();
}

TEST(SharedLockTest, AWaitingWriterKeepsNewReadersOut) {
  SharedLock lock;
  lock.lock_shared();
  std::thread writer([&] {
    lock.lock();
    lock.unlock();
  });
  AwaitWaiters(&lock, 1);
  AwaitClosed(lock);
  lock.unlock_shared();
  writer.join();
  EXPECT_EQ(OthersMay(lock), kAnybody);
}

TEST(SharedLockTest, AWriterThatGivesUpLetsInWhomItKeptOut) {
  SharedLock lock;
  lock.lock_shared();
  std::thread writer([&] { EXPECT_FALSE(lock.try_lock_for(20ms)); });
  std::thread reader([&] {  // whether it comes before the writer, behind it, or after it
    lock.lock_shared();
    lock.unlock_shared();
  });
  reader.join();
  writer.join();
  EXPECT_EQ(OthersMay(lock), kNoWriter);
  lock.unlock_shared();
}

TEST(SharedLockTest, WhoWaitsBehindAWriterIsLetInWhenItLeaves) {
  SharedLock lock;
  lock.lock();
  std::atomic<int> in{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      const std::shared_lock read(lock);
      ++in;
    });
  }
  threads.emplace_back([&] {
    const std::unique_lock write(lock);
    ++in;
  });
  threads.emplace_back([&] {
    lock.lock_upgrade();
    ++in;
    lock.unlock_upgrade();
  });
  AwaitWaiters(&lock, 5);
  EXPECT_EQ(in, 0);
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(in, 5);
}

TEST(SharedLockTest, WhoHoldsItMayNotAskForMore) {
  constexpr auto kRefused = std::errc::resource_deadlock_would_occur;
  SharedLock lock;
  lock.lock_shared();
  EXPECT_EQ(CodeOf([&] { lock.lock(); }), kRefused);
  EXPECT_EQ(CodeOf([&] { lock.lock_upgrade(); }), kRefused);
  EXPECT_FALSE(lock.try_lock());
  EXPECT_FALSE(lock.try_lock_for(1h));
  lock.unlock_shared();
  lock.lock_upgrade();
  EXPECT_EQ(CodeOf([&] { lock.lock(); }), kRefused);
  EXPECT_EQ(CodeOf([&] { lock.lock_shared(); }), kRefused);
  lock.unlock_upgrade();
  lock.lock();
  EXPECT_EQ(CodeOf([&] { lock.lock_shared(); }), kRefused);
  EXPECT_FALSE(lock.try_lock_shared());
  lock.unlock();
  EXPECT_EQ(OthersMay(lock), kAnybody);
}

TEST(SharedLockTest, AReaderMayReadTwiceWhileNoWriterWaits) {
  SharedLock lock;
  lock.lock_shared();
  EXPECT_TRUE(lock.try_lock_shared());
  lock.unlock_shared();
  EXPECT_EQ(OthersMay(lock), kNoWriter);
  EXPECT_EQ(HoldsOfThisThread(), 1);
  lock.unlock_shared();
  EXPECT_EQ(OthersMay(lock), kAnybody);
}

TEST(SharedLockTest, ItIsReleasedAndConvertedOnlyAsItIsHeld) {
  constexpr auto kRefused = std::errc::operation_not_permitted;
  SharedLock lock;
  const auto refused = [&](std::vector<void (SharedLock::*)()> calls) {
    for (const auto call : calls) EXPECT_EQ(CodeOf([&] { (lock.*call)(); }), kRefused);
  };
  const std::vector<void (SharedLock::*)()> writers = {
      &SharedLock::unlock, &SharedLock::unlock_and_lock_shared,
      &SharedLock::unlock_and_lock_upgrade};
  const std::vector<void (SharedLock::*)()> upgraders = {
      &SharedLock::unlock_upgrade, &SharedLock::unlock_upgrade_and_lock,
      &SharedLock::unlock_upgrade_and_lock_shared};
  const auto all = [&] {
    refused(writers);
    refused(upgraders);
    refused({&SharedLock::unlock_shared});
  };
  all();
  lock.lock();
  std::thread(all).join();
  refused(upgraders);
  refused({&SharedLock::unlock_shared});
  lock.unlock();
  lock.lock_upgrade();
  refused(writers);
  std::thread reader([&] {
    lock.lock_shared();
    refused(writers);
    refused(upgraders);
    lock.unlock_shared();
  });
  reader.join();
  lock.unlock_upgrade();
  lock.lock_shared();
  refused(writers);
  refused(upgraders);
  lock.unlock_shared();
  EXPECT_EQ(OthersMay(lock), kAnybody);
}

TEST(SharedLockTest, TheStandardsSharedGuardsWork) {
  SharedLock lock("shared");
  std::shared_lock now(lock), timed(lock, 1h), until(lock, std::chrono::steady_clock::now());
  EXPECT_TRUE(now.owns_lock() && timed.owns_lock() && until.owns_lock());
  EXPECT_STREQ(lock.name(), "shared");
  EXPECT_GT(lock.id(), 0u);
}

TEST(SharedLockTest, ReadersSeeWhatWritersWroteWhole) {
  constexpr int kThreads = 4, kRounds = 4000;
  SharedLock lock;
  int64_t a = 0, b = 0;  // plain: the lock is what keeps them equal
  std::atomic<int64_t> torn{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        switch ((i + t) % 8) {
          case 0: {
            lock.lock();
            ++a;
            ++b;
            lock.unlock_and_lock_shared();
            if (a != b) ++torn;
            lock.unlock_shared();
            break;
          }
          case 1: {
            lock.lock_upgrade();
            const int64_t seen = a;
            lock.unlock_upgrade_and_lock();
            if (a != seen) ++torn;
            ++a;
            ++b;
            lock.unlock();
            break;
          }
          case 2:
            if (lock.try_lock_for(10us)) {
              ++a;
              ++b;
              lock.unlock();
            }
            break;
          default: {
            std::shared_lock read(lock);
            if (a != b) ++torn;
          }
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(a, b);
  EXPECT_GE(a, int64_t{kThreads} * kRounds / 4);
  EXPECT_FALSE(lock.locked());
}

}  // namespace
}  // namespace lockwarden
