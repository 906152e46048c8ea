// Thread, Promise and Future: what std's promise, how an exception travels, and whose end or whose
// promise a wait is recorded to be for.
#include "lockwarden/thread.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "lockwarden/event.h"
#include "lockwarden/future.h"
#include "tests/runtime/waiting.h"

namespace lockwarden {
namespace {

using namespace std::chrono_literals;

// The waits that are recorded in this mode, each as {reference, peer}.
std::vector<std::pair<ledger::PackedRef, uint64_t>> WaitsOf(ledger::Mode mode) {
  std::vector<std::pair<ledger::PackedRef, uint64_t>> found;
  if (ledger::TheGate()->epoch == 0) return found;
  const ledger::Ledger book = ledger::TheLedger();
  const auto* threads = book.Table<ledger::ThreadRecord>(ledger::kThreads);
  const uint32_t used = book.header().tables[ledger::kThreads].used;
  for (uint32_t i = 0; i < used; ++i) {
    const ledger::PackedRef ref = threads[i].frame0.wait.wait;
    if (ref != 0 && ledger::ModeOf(ref) == mode) found.push_back({ref, threads[i].frame0.wait.peer});
  }
  return found;
}

std::vector<std::pair<ledger::PackedRef, uint64_t>> AwaitWait(ledger::Mode mode) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  for (;;) {
    const auto found = WaitsOf(mode);
    if (!found.empty()) return found;
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "a thread that never waited";
      return {{}};
    }
    std::this_thread::yield();
  }
}

template <class Call>
std::errc CodeOf(Call call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return static_cast<std::errc>(error.code().value());
  }
  return std::errc{};
}

template <class Call>
std::future_errc FutureCodeOf(Call call) {
  try {
    call();
  } catch (const std::future_error& error) {
    return static_cast<std::future_errc>(error.code().value());
  }
  return std::future_errc{};
}

TEST(ThreadTest, ItRunsItsBodyWithCopiesOfTheArguments) {
  int sum = 0;
  auto only_moved = std::make_unique<int>(3);
  Thread thread(
      "adder", [&sum](int a, int b, std::unique_ptr<int> c) { sum = a + b + *c; }, 1, 2,
      std::move(only_moved));
  EXPECT_TRUE(thread.joinable());
  EXPECT_STREQ(thread.name(), "adder");
  EXPECT_NE(thread.native_handle(), 0u);
  thread.join();
  EXPECT_EQ(sum, 6);
  EXPECT_FALSE(thread.joinable());
  EXPECT_STREQ(thread.name(), "");
  EXPECT_EQ(thread.native_id(), 0u);
}

TEST(ThreadTest, ItHasItsNameAndItsIdForTheKernelAndInTheLedger) {
  Event go;
  uint32_t id = 0;
  char seen[16] = {};
  Thread thread("a name that is too long", [&] {
    id = static_cast<uint32_t>(gettid());
    pthread_getname_np(pthread_self(), seen, sizeof(seen));
    EXPECT_STREQ(reinterpret_cast<const char*>(ledger::this_thread.record->name),
                 "a name that is ");
    go.wait();
  });
  while (thread.native_id() == 0) std::this_thread::yield();
  const uint32_t known = thread.native_id();
  EXPECT_STREQ(thread.name(), "a name that is too long");
  go.set();
  thread.join();
  EXPECT_EQ(known, id);
  EXPECT_STREQ(seen, "a name that is ");
}

TEST(ThreadTest, WithoutANameItKeepsTheProcesses) {
  Thread thread([](int) {}, 1);
  EXPECT_STREQ(thread.name(), "");
  thread.join();
}

TEST(ThreadTest, WhatItsBodyThrowsComesOutOfJoinOnce) {
  Thread thread([] { throw std::runtime_error("lost?"); });
  EXPECT_THROW(thread.join(), std::runtime_error);
  EXPECT_FALSE(thread.joinable());
}

TEST(ThreadTest, WhatWasThrownBeforeDetachComesOutOfIt) {
  Thread thread([] { throw std::runtime_error("lost?"); });
  const std::string task = "/proc/self/task/" + std::to_string([&] {
    while (thread.native_id() == 0) std::this_thread::yield();
    return thread.native_id();
  }());
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (access(task.c_str(), F_OK) == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
  EXPECT_THROW(thread.detach(), std::runtime_error);
}

void ThrowInADetachedThread() {
  Event go;
  Event never;
  Thread thread([&] {
    go.wait();
    throw std::runtime_error("nobody looks");
  });
  thread.detach();
  go.set();
  never.wait();
}

TEST(ThreadDeathTest, WhatADetachedThreadThrowsEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(ThrowInADetachedThread(), "nobody looks");
}

TEST(ThreadDeathTest, ToLoseAJoinableThreadEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH({ Thread thread([] {}); }, "terminate");
}

TEST(ThreadTest, ItsBodyGoesInItsOwnThread) {
  struct Goes {
    std::thread::id* where;
    explicit Goes(std::thread::id* to) : where(to) {}
    Goes(Goes&& other) noexcept : where(std::exchange(other.where, nullptr)) {}
    ~Goes() {
      if (where != nullptr) *where = std::this_thread::get_id();
    }
  };
  std::thread::id ran, went;
  Thread thread([&ran, goes = Goes(&went)] { ran = std::this_thread::get_id(); });
  thread.join();
  EXPECT_EQ(ran, went);
  EXPECT_NE(ran, std::this_thread::get_id());
}

TEST(ThreadTest, WhatCannotBeIsRefused) {
  Thread none;
  EXPECT_FALSE(none.joinable());
  EXPECT_EQ(CodeOf([&] { none.join(); }), std::errc::invalid_argument);
  EXPECT_EQ(CodeOf([&] { none.detach(); }), std::errc::invalid_argument);
  Thread itself;
  Event go, done;
  itself = Thread([&] {
    go.wait();
    EXPECT_EQ(CodeOf([&] { itself.join(); }), std::errc::resource_deadlock_would_occur);
    done.set();
  });
  go.set();
  done.wait();
  itself.join();
}

TEST(ThreadTest, AnExitOutOfItsBodyIsNoFailure) {
  Thread thread([] { pthread_exit(nullptr); });
  thread.join();
}

TEST(ThreadTest, AJoinIsRecordedWithTheThreadThatIsJoined) {
  Event go;
  Thread joined([&] { go.wait(); });
  AwaitWaiters(&go, 1);  // so it has a record
  std::thread joiner([&] { joined.join(); });
  const auto waits = AwaitWait(ledger::Mode::kJoin);
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0].second, joined.native_handle());
  const auto& record = ledger::TheLedger().Table<ledger::ThreadRecord>(
      ledger::kThreads)[ledger::IndexOf(waits[0].first)];
  EXPECT_EQ(record.tid, joined.native_id());
  EXPECT_EQ(record.serial & ledger::kGenerationMask, ledger::GenerationOf(waits[0].first));
  EXPECT_EQ(record.creator_serial, ledger::this_thread.record->serial);
  go.set();
  joiner.join();
  EXPECT_TRUE(WaitsOf(ledger::Mode::kJoin).empty());
}

TEST(FutureTest, AValueTravels) {
  Promise<std::string> promise("answer");
  Future<std::string> future = promise.get_future();
  EXPECT_TRUE(future.valid());
  Thread thread([&] { promise.set_value("forty-two"); });
  EXPECT_EQ(future.get(), "forty-two");
  EXPECT_FALSE(future.valid());
  thread.join();
}

TEST(FutureTest, EveryKindOfValue) {
  Promise<void> nothing;
  Promise<int&> place;
  Promise<std::unique_ptr<int>> only_moved;
  Promise<std::vector<int>> braced;
  Future<void> nothing_comes = nothing.get_future();
  Future<int&> place_comes = place.get_future();
  Future<std::unique_ptr<int>> moved_comes = only_moved.get_future();
  Future<std::vector<int>> braced_comes = braced.get_future();
  int here = 0;
  Thread thread([&] {
    place.set_value(here);
    only_moved.set_value(std::make_unique<int>(7));
    braced.set_value({1, 2, 3});
    nothing.set_value();
  });
  nothing_comes.get();
  EXPECT_EQ(&place_comes.get(), &here);
  EXPECT_EQ(*moved_comes.get(), 7);
  EXPECT_EQ(braced_comes.get().size(), 3u);
  thread.join();
}

TEST(FutureTest, AnExceptionTravels) {
  Promise<int> promise;
  Future<int> future = promise.get_future();
  Thread thread([&] {
    promise.set_exception(std::make_exception_ptr(std::runtime_error("no answer")));
  });
  EXPECT_THROW(future.get(), std::runtime_error);
  thread.join();
}

TEST(FutureTest, APromiseThatGoesIsBroken) {
  std::optional<Promise<int>> promise(std::in_place);
  Future<int> future = promise->get_future();
  Thread thread([&] { promise.reset(); });
  EXPECT_EQ(FutureCodeOf([&] { future.get(); }), std::future_errc::broken_promise);
  thread.join();
  Promise<int> overwritten;
  Future<int> lost = overwritten.get_future();
  overwritten = Promise<int>();
  EXPECT_EQ(FutureCodeOf([&] { lost.get(); }), std::future_errc::broken_promise);
}

TEST(FutureTest, EachThingOnce) {
  Promise<int> promise;
  Future<int> future = promise.get_future();
  EXPECT_EQ(FutureCodeOf([&] { static_cast<void>(promise.get_future()); }),
            std::future_errc::future_already_retrieved);
  promise.set_value(1);
  EXPECT_EQ(FutureCodeOf([&] { promise.set_value(2); }),
            std::future_errc::promise_already_satisfied);
  EXPECT_EQ(FutureCodeOf([&] { promise.set_exception(nullptr); }),
            std::future_errc::promise_already_satisfied);
  EXPECT_EQ(future.get(), 1);
  EXPECT_EQ(FutureCodeOf([&] { future.get(); }), std::future_errc::no_state);
  EXPECT_EQ(FutureCodeOf([&] { future.wait(); }), std::future_errc::no_state);
  Promise<int> moved = std::move(promise);
  EXPECT_EQ(FutureCodeOf([&] { promise.set_value(2); }), std::future_errc::no_state);
}

TEST(FutureTest, AValueThatCannotBeMovedLeavesThePromiseToBeKept) {
  struct Refuses {
    Refuses() = default;
    Refuses(const Refuses&) { throw std::runtime_error("not copied"); }
    Refuses(Refuses&&) noexcept {}
  };
  Promise<Refuses> promise;
  Future<Refuses> future = promise.get_future();
  const Refuses value;
  EXPECT_THROW(promise.set_value(value), std::runtime_error);
  EXPECT_EQ(future.wait_for(0s), std::future_status::timeout);
  promise.set_value(Refuses());
  future.get();
}

TEST(FutureTest, ATimeThatHasComeEndsTheWaitAndNoOther) {
  Promise<int> promise;
  Future<int> future = promise.get_future();
  using std::chrono::steady_clock;
  using std::chrono::system_clock;
  EXPECT_EQ(future.wait_for(-1h), std::future_status::timeout);
  EXPECT_EQ(future.wait_for(1ms), std::future_status::timeout);
  EXPECT_EQ(future.wait_until(steady_clock::now() - 1h), std::future_status::timeout);
  EXPECT_EQ(future.wait_until(system_clock::now() + 1ms), std::future_status::timeout);
  Thread waiter([&] {
    EXPECT_EQ(future.wait_for(std::chrono::hours::max()), std::future_status::ready);
    EXPECT_EQ(future.wait_until(steady_clock::time_point::min()), std::future_status::ready);
  });
  const auto waits = AwaitWait(ledger::Mode::kUnowned);
  EXPECT_EQ(waits[0].first & ledger::kTimed, 0u);  // longer than any clock can say
  EXPECT_EQ(waits[0].second, 0u);                  // nobody said whose promise it is
  promise.set_value(1);
  waiter.join();
  EXPECT_EQ(future.get(), 1);
}

TEST(FutureTest, AWaitForAThreadsPromiseIsRecordedWithThatThread) {
  Event go;
  Promise<int> promise("answer");
  Future<int> future = promise.get_future();
  Thread worker([&] {
    go.wait();
    promise.set_value(1);
  });
  future.expect_from(worker);
  Thread waiter([&] { EXPECT_EQ(future.get(), 1); });
  const auto waits = AwaitWait(ledger::Mode::kUnowned);
  const ledger::Ledger book = ledger::TheLedger();
  const auto& record =
      book.Table<ledger::ThreadRecord>(ledger::kThreads)[ledger::IndexOf(waits[0].second)];
  AwaitWaiters(&go, 1);
  EXPECT_EQ(record.tid, worker.native_id());
  EXPECT_EQ(record.serial & ledger::kGenerationMask, ledger::GenerationOf(waits[0].second));
  const auto& lock =
      book.Table<ledger::LockRecord>(ledger::kLocks)[ledger::IndexOf(waits[0].first)];
  EXPECT_EQ(ledger::KindOf(lock.kind_and_flags), ledger::LockKind::kFuture);
  go.set();
  waiter.join();
  worker.join();
}

TEST(FutureTest, AsyncReturnsOrThrowsWhatItsBodyDoes) {
  Future<int> sum = async("adder", [](int a, int b) { return a + b; }, 1, 2);
  Future<void> failure = async("failing", [] { throw std::runtime_error("no"); });
  Future<void> gone = async("going", [] { pthread_exit(nullptr); });
  EXPECT_EQ(sum.get(), 3);
  EXPECT_THROW(failure.get(), std::runtime_error);
  EXPECT_EQ(FutureCodeOf([&] { gone.get(); }), std::future_errc::broken_promise);
}

TEST(FutureTest, OneOfThoseWhoSetAtOnceDoes) {
  for (int round = 0; round < 200; ++round) {
    Promise<int> promise;
    Future<int> future = promise.get_future();
    std::atomic<int> refused{0};
    const auto set = [&](int value) {
      return [&promise, &refused, value] {
        try {
          promise.set_value(value);
        } catch (const std::future_error&) {
          ++refused;
        }
      };
    };
    Thread one(set(1)), two(set(2));
    const int value = future.get();
    EXPECT_TRUE(value == 1 || value == 2);
    one.join();
    two.join();
    EXPECT_EQ(refused, 1);
  }
}

}  // namespace
}  // namespace lockwarden
