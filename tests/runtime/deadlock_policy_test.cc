// Breaking a deadlock: who is the victim, what it is told, and what it still holds. A thread is
// known to wait because its record says so, so each cycle is closed by the thread that the test
// means.
#include "lockwarden/deadlock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "lockwarden/lockwarden.h"
#include "tests/runtime/waiting.h"

namespace lockwarden {
namespace {

uint64_t Broken() { return ledger::TheLedger().header().broken.load(); }

class DeadlockPolicyTest : public testing::Test {
 protected:
  DeadlockPolicyTest() {
    Lock begins_the_ledger;
    const std::lock_guard guard(begins_the_ledger);
    set_deadlock_policy(DeadlockPolicy::kThrow);
    broken_before_ = Broken();
  }
  ~DeadlockPolicyTest() override { set_deadlock_policy(DeadlockPolicy::kDefault); }
  uint64_t BrokenHere() const { return Broken() - broken_before_; }

 private:
  uint64_t broken_before_;
};

template <class T>
class VictimTest : public DeadlockPolicyTest {};
using Types = testing::Types<Lock, RLock, SharedLock>;
TYPED_TEST_SUITE(VictimTest, Types);

TYPED_TEST(VictimTest, TheWaitThatClosesACycleThrowsAndTheOtherGoesOn) {
  TypeParam a("a"), b("b");
  b.lock();
  Thread other("other", [&] {
    const std::scoped_lock outer(a);
    const std::scoped_lock inner(b);
  });
  AwaitWaiters(&b, 1);
  try {
    a.lock();
    FAIL() << "it closes a cycle";
  } catch (const DeadlockError& error) {
    ASSERT_EQ(error.threads(), 2u);
    ASSERT_EQ(error.links().size(), 2u);
    const DeadlockLink &mine = error.links()[0], &others = error.links()[1];
    EXPECT_EQ(mine.thread, static_cast<uint32_t>(gettid()));
    EXPECT_EQ(mine.lock, &a);
    EXPECT_EQ(mine.lock_name, "a");
    EXPECT_EQ(others.thread, other.native_id());
    EXPECT_EQ(others.thread_name, "other");
    EXPECT_EQ(others.lock, &b);
    EXPECT_EQ(others.lock_name, "b");
    for (const DeadlockLink& link : error.links()) {
      EXPECT_NE(link.wait_site, nullptr);
      EXPECT_NE(link.hold_site, nullptr);
    }
    const std::string text = error.what();
    EXPECT_NE(text.find("broken a deadlock of 2 threads"), std::string::npos) << text;
    EXPECT_NE(text.find("'other' waits for \"b\""), std::string::npos) << text;
  }
  EXPECT_EQ(HoldsOfThisThread(), 1);
  EXPECT_EQ(WaitersOf(&a).count, 0);
  EXPECT_EQ(this->BrokenHere(), 1u);
  EXPECT_TRUE(a.locked());
  b.unlock();
  other.join();
  a.lock();  // as ever
  a.unlock();
  EXPECT_EQ(HoldsOfThisThread(), 0);
}

TYPED_TEST(VictimTest, AWaitThatMayGiveUpIsNoLinkAndNoVictim) {
  TypeParam a, b;
  b.lock();
  Thread other([&] {
    const std::scoped_lock outer(a);
    EXPECT_FALSE(b.try_lock_for(std::chrono::milliseconds(20)));
  });
  while (!a.locked()) std::this_thread::yield();
  a.lock();
  other.join();
  a.unlock();
  b.unlock();
  EXPECT_EQ(this->BrokenHere(), 0u);
}

TYPED_TEST(VictimTest, AWholeSetIsLetGo) {
  TypeParam first, wanted("wanted"), held("held");
  static_cast<void>(first.id());
  static_cast<void>(held.id());
  static_cast<void>(wanted.id());
  held.lock();
  Thread other([&] {
    const std::scoped_lock outer(wanted);
    const std::scoped_lock inner(held);
  });
  AwaitWaiters(&held, 1);
  EXPECT_THROW(static_cast<void>(acquire(first, wanted)), DeadlockError);
  EXPECT_FALSE(first.locked());
  EXPECT_EQ(HoldsOfThisThread(), 1);
  held.unlock();
  other.join();
}

TYPED_TEST(VictimTest, ThreeInARingNeedOneVictim) {
  TypeParam locks[3];
  std::vector<Thread> others;
  locks[0].lock();
  for (const int i : {2, 1}) {
    others.emplace_back([&locks, i] {
      const std::scoped_lock outer(locks[i]);
      const std::scoped_lock inner(locks[(i + 1) % 3]);
    });
    AwaitWaiters(&locks[(i + 1) % 3], 1);
  }
  EXPECT_THROW(locks[1].lock(), DeadlockError);
  EXPECT_EQ(this->BrokenHere(), 1u);
  locks[0].unlock();
  for (Thread& thread : others) thread.join();
}

TEST_F(DeadlockPolicyTest, AnUpgradeMayBeTheVictimAndStaysUpgradeable) {
  SharedLock table("table");
  Lock log("log");
  table.lock_upgrade();
  log.lock();
  Thread other([&] {
    const std::shared_lock read(table);
    const std::scoped_lock inner(log);
  });
  AwaitWaiters(&log, 1);
  EXPECT_THROW(table.unlock_upgrade_and_lock(), DeadlockError);
  EXPECT_EQ(HoldsOfThisThread(), 2);
  log.unlock();
  other.join();
  table.unlock_upgrade_and_lock();
  table.unlock();
  EXPECT_EQ(HoldsOfThisThread(), 0);
}

TEST_F(DeadlockPolicyTest, AJoinIsPartOfACycle) {
  Lock a("a");
  bool refused = false;
  a.lock();
  Event go;
  Thread joined([&] {
    go.wait();
    try {
      a.lock();
    } catch (const DeadlockError& error) {
      refused = true;
      EXPECT_EQ(error.links()[1].lock, nullptr);
    }
  });
  Thread helper([&] {
    for (bool waits = false; !waits;) {
      const ledger::Ledger book = ledger::TheLedger();
      const auto* threads = book.Table<ledger::ThreadRecord>(ledger::kThreads);
      for (uint32_t i = 0; i < book.header().tables[ledger::kThreads].used; ++i) {
        waits |= ledger::ModeOf(threads[i].frame0.wait.wait) == ledger::Mode::kJoin;
      }
      std::this_thread::yield();
    }
    go.set();
  });
  joined.join();
  helper.join();
  EXPECT_TRUE(refused);
  a.unlock();
}

TEST_F(DeadlockPolicyTest, AClassMayDecideForItself) {
  static LockClass strict("strict victims", {.on_deadlock = DeadlockPolicy::kThrow});
  static LockClass lenient("lenient victims", {.on_deadlock = DeadlockPolicy::kReport});
  set_deadlock_policy(DeadlockPolicy::kDefault);
  Lock throws(strict), reports(lenient);
  throws.lock();
  Thread other([&] {
    reports.lock();
    AwaitWaiters(&reports, 1);  // whose class says that it is only told
    EXPECT_THROW(throws.lock(), DeadlockError);
    reports.unlock();
  });
  while (!reports.locked()) std::this_thread::yield();
  reports.lock();
  other.join();
  reports.unlock();
  throws.unlock();
  EXPECT_EQ(this->BrokenHere(), 1u);
}

TEST_F(DeadlockPolicyTest, WhoTakesItsLockAgainAfterAConditionWaitIsNotTheVictim) {
  Lock outer("outer"), inner("inner");
  Condition condition;
  bool woken = false;
  Thread waiter([&] {
    const std::scoped_lock hold_outer(outer);
    std::unique_lock hold(inner);
    condition.wait(hold, [&] { return woken; });
    EXPECT_TRUE(hold.owns_lock());
  });
  AwaitWaiters(&condition, 1);
  {
    const std::scoped_lock hold(inner);
    woken = true;
    condition.notify_one();
    AwaitWaiters(&inner, 1);
    EXPECT_THROW(outer.lock(), DeadlockError);
  }
  waiter.join();
}

TEST_F(DeadlockPolicyTest, OfTwoThatCloseOneAtOnceExactlyOneThrows) {
  constexpr int kRounds = 2000;
  Lock a, b;
  Barrier step(2);
  std::atomic<int> thrown{0};
  const auto run = [&](Lock& first, Lock& second) {
    for (int i = 0; i < kRounds; ++i) {
      step.wait();
      const int before = thrown;
      step.wait();
      const std::scoped_lock outer(first);
      try {
        const std::scoped_lock inner(second);
      } catch (const DeadlockError&) {
        ++thrown;
        EXPECT_EQ(thrown, before + 1);
      }
    }
  };
  Thread one([&] { run(a, b); }), two([&] { run(b, a); });
  one.join();
  two.join();
  EXPECT_EQ(this->BrokenHere(), static_cast<uint64_t>(thrown.load()));
}

TEST_F(DeadlockPolicyTest, TransfersInAnyOrderAllEnd) {
  constexpr int kThreads = 4, kAccounts = 3, kTransfers = 2000;
  struct Account {
    Lock lock;
    int64_t money = 0;
  } accounts[kAccounts];
  std::vector<Thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      uint32_t random = 17u * static_cast<uint32_t>(t) + 1;
      for (int done = 0; done < kTransfers;) {
        random = random * 1664525u + 1013904223u;
        Account& from = accounts[random >> 8 & 1];
        Account& to =
            accounts[&from == &accounts[0] ? 1 + (random >> 16 & 1) : 2 * (random >> 16 & 1)];
        try {
          const std::scoped_lock first(from.lock);
          const std::scoped_lock second(to.lock);
          --from.money;
          ++to.money;
          ++done;
        } catch (const DeadlockError&) {
        }
      }
    });
  }
  for (Thread& thread : threads) thread.join();
  int64_t sum = 0;
  for (const Account& account : accounts) sum += account.money;
  EXPECT_EQ(sum, 0);
}

}  // namespace
}  // namespace lockwarden
