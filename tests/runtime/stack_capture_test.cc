// Stack capture: interned once, reused from the cache, told apart when only callers differ,
// and given up, counted, where it cannot be done.
#include "runtime/stack_capture.h"

#include <signal.h>
#include <ucontext.h>

#include <thread>
#include <vector>

#include "runtime/recorder.h"
#include "runtime/start_info.h"
#include "runtime/thread_slots.h"
#include "tests/runtime/small_ledger.h"

namespace lockwarden::ledger {
namespace {

#if defined(__x86_64__)

class StackCaptureTest : public SmallLedger {
 public:
  using SmallLedger::SmallLedger;

 protected:
  uint32_t DepthOf(uint32_t id) { return static_cast<uint32_t>(TheLedger().Table<uint64_t>(kStacks)[id]); }
  template <class Visit>
  void ForEachCached(Visit visit) {
    for (auto& set : Me().stack_cache) {
      for (StackCacheEntry& entry : set) visit(entry);
    }
  }
  uint64_t PcOf(uint32_t id, uint32_t at) { return TheLedger().Table<uint64_t>(kStacks)[id + 1 + at]; }
};

// Calls are kept apart by what they store, so that no two are merged.
volatile uint64_t sink;

// A number that the compiler does not know, so that it leaves a loop's body in one place.
int Times(int count) {
  volatile int unknown = count;
  return unknown;
}

__attribute__((noinline)) uint32_t Capture() {
  return CaptureStack(this_thread.record, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
__attribute__((noinline)) uint32_t Wrapper() {
  const uint32_t id = Capture();
  sink = sink + 1;
  return id;
}
__attribute__((noinline)) uint32_t First() {
  const uint32_t id = Wrapper();
  sink = sink + 2;
  return id;
}
__attribute__((noinline)) uint32_t Second() {
  const uint32_t id = Wrapper();
  sink = sink + 3;
  return id;
}

TEST_F(StackCaptureTest, TheFirstPcIsTheCallSiteAndTheLastIsTheProgramsStart) {
  const uint32_t id = Wrapper();
  ASSERT_NE(id, 0u);
  EXPECT_GE(DepthOf(id), 4u);
  const uint64_t wrapper = reinterpret_cast<uint64_t>(&Wrapper);
  EXPECT_GT(PcOf(id, 0), wrapper);
  EXPECT_LT(PcOf(id, 0), wrapper + 256);
}

TEST_F(StackCaptureTest, TwoCallersThroughOneWrapperHaveDifferentStacks) {
  uint32_t first = 0, second = 0;
  for (int i = 0; i < Times(3); ++i) {  // one site and one depth: told apart by what is above
    const uint32_t a = First(), b = Second();
    EXPECT_NE(a, b);
    if (i > 0) {
      EXPECT_EQ(a, first);
      EXPECT_EQ(b, second);
    }
    first = a;
    second = b;
  }
}

TEST_F(StackCaptureTest, TheSecondCallAtAPlaceComesFromTheCache) {
  uint32_t ids[3];
  for (int i = 0; i < Times(3); ++i) {
    ids[i] = Wrapper();
    // Show that it is the cache that answers: change what it says.
    if (i == 1) ForEachCached([](StackCacheEntry& entry) { entry.stack = 12345; });
  }
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_EQ(ids[2], 12345u);
}

template <int kNumber>
__attribute__((noinline)) uint32_t Caller() {
  const uint32_t id = Wrapper();
  sink = sink + kNumber;
  return id;
}

// As many as two sets hold: one that was forgotten would be walked again each time.
TEST_F(StackCaptureTest, EightCallersThroughOneWrapperAreAllRemembered) {
  constexpr uint32_t kCallers = 2 * kStackCacheWays, kSeen = 1u << 30;
  constexpr uint32_t (*kAll[kCallers])() = {Caller<1>, Caller<2>, Caller<3>, Caller<4>,
                                            Caller<5>, Caller<6>, Caller<7>, Caller<8>};
  std::vector<uint32_t> ids;
  for (int round = 0; round < Times(2); ++round) {
    for (uint32_t i = 0; i < kCallers; ++i) {
      const uint32_t id = kAll[i]();
      if (round == 0) {
        ids.push_back(id);
      } else {
        EXPECT_EQ(id, ids[i] | kSeen) << i;
      }
    }
    ForEachCached([](StackCacheEntry& entry) { entry.stack |= kSeen; });
  }
}

TEST_F(StackCaptureTest, AfterAnUnloadEachPlaceIsCapturedAnew) {
  uint32_t ids[2];
  for (int i = 0; i < Times(2); ++i) {
    ids[i] = Wrapper();
    ForEachCached([](StackCacheEntry& entry) { entry.stack = 12345; });
    ++header().module_generation;  // as ForgetUnloaded does
  }
  EXPECT_EQ(ids[0], ids[1]);
}

TEST_F(StackCaptureTest, TheSameStackOfAnotherThreadIsTheSameId) {
  uint32_t ids[2] = {1, 2};
  for (uint32_t& id : ids) {
    std::thread([&id] {
      RegisterThisThread();
      id = Wrapper();
    }).join();
  }
  EXPECT_EQ(ids[0], ids[1]);
}

Capacities WithFewStacks() {
  Capacities few = Capacities{}.Scaled(8);
  few.stack_words = 64;
  return few;
}
class FullStackTableTest : public StackCaptureTest {
 protected:
  FullStackTableTest() : StackCaptureTest(WithFewStacks()) {}
};

__attribute__((noinline)) uint32_t CaptureBelow(int depth) {
  const uint32_t id = depth == 0 ? Capture() : CaptureBelow(depth - 1);
  sink = sink + 1;
  return id;
}

TEST_F(FullStackTableTest, GivesNoStackAndCountsIt) {
  uint32_t id = 1;
  for (int depth = 0; depth < 40 && id != 0; ++depth) id = CaptureBelow(depth);
  EXPECT_EQ(id, 0u);
  EXPECT_GT(Dropped(kStacks), 0u);
}

#ifndef LOCKWARDEN_SANITIZES_THREAD  // which calls handlers itself, later
uint32_t captured_in_handler;
void Handler(int) { captured_in_handler = Capture(); }

TEST_F(StackCaptureTest, OnASignalStackTheHandlersPartIsCaptured) {
  std::vector<char> space(65536);
  stack_t stack{}, stack_before{};
  stack.ss_sp = space.data();
  stack.ss_size = space.size();
  ASSERT_EQ(sigaltstack(&stack, &stack_before), 0);
  struct sigaction action {}, before {};
  action.sa_handler = Handler;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, &before);
  const uint64_t failures = Me().stack_failures;
  raise(SIGUSR1);
  sigaction(SIGUSR1, &before, nullptr);
  sigaltstack(&stack_before, nullptr);
  ASSERT_NE(captured_in_handler, 0u);
  EXPECT_EQ(DepthOf(captured_in_handler), kStackInHandler | 2u) << "the site, and the trampoline";
  EXPECT_EQ(Me().stack_failures, failures);
}
#endif

ucontext_t back, coroutine;
uint32_t captured_in_coroutine;
void Coroutine() { captured_in_coroutine = Capture(); }

TEST_F(StackCaptureTest, OnACoroutinesStackTheCallSiteMustDo) {
  std::vector<char> space(65536);
  getcontext(&coroutine);
  coroutine.uc_stack.ss_sp = space.data();
  coroutine.uc_stack.ss_size = space.size();
  coroutine.uc_link = &back;
  makecontext(&coroutine, Coroutine, 0);
  swapcontext(&back, &coroutine);
  ASSERT_NE(captured_in_coroutine, 0u);
  EXPECT_EQ(DepthOf(captured_in_coroutine), 1u);
}

TEST_F(StackCaptureTest, NearTheEndOfTheStackTheCallSiteMustDo) {
  const uint64_t low = Me().stack_low;
  Me().stack_low = LOCKWARDEN_CFA - 8192;
  const uint32_t id = Capture();
  Me().stack_low = low;
  ASSERT_NE(id, 0u);
  EXPECT_EQ(DepthOf(id), 1u);
  EXPECT_GT(Me().stack_failures, 0u);
}

#endif  // defined(__x86_64__)

}  // namespace
}  // namespace lockwarden::ledger
