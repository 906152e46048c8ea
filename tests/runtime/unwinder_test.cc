// The unwinder against glibc's backtrace(3) at the same point: through recursion, frames
// without frame pointers, realigned stacks, signal handlers and new threads; and against
// wrong input, for which it must give up rather than guess.
#include "runtime/unwinder.h"

#include <execinfo.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "runtime/frame_rules.h"
#include "runtime/recorder.h"
#include "tests/runtime/unwinder_chain.h"

namespace lockwarden::ledger {
namespace {

#if defined(__x86_64__)

constexpr size_t kMost = 256;

uint64_t StackHigh() {
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t size = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  return reinterpret_cast<uint64_t>(low) + size;
}

struct BothStacks {
  std::vector<uint64_t> ours, libc;
  bool complete = false;
};

// Both begin with the return address into the caller of this function.
__attribute__((noinline)) void TakeBoth(void* context) {
  BothStacks* both = static_cast<BothStacks*>(context);
  static UnwindFrame frames[kMost];
  static void* addresses[kMost];
  const uint64_t high = StackHigh();
  const size_t count = UnwindCallers(LOCKWARDEN_CFA, high, frames, kMost, &both->complete);
  both->ours.clear();
  for (size_t i = 0; i < count; ++i) both->ours.push_back(frames[i].pc);
  const int known = backtrace(addresses, kMost);
  both->libc.clear();
  const uint64_t caller = reinterpret_cast<uint64_t>(__builtin_return_address(0));
  bool found = false;  // backtrace begins inside this function, or inside a sanitizer's
  for (int i = 0; i < known; ++i) {
    const uint64_t pc = reinterpret_cast<uint64_t>(addresses[i]);
    found |= pc == caller;
    if (found) both->libc.push_back(pc);
  }
}

void ExpectSame(const BothStacks& both) {
  ASSERT_FALSE(both.libc.empty());
  EXPECT_TRUE(both.complete);
  EXPECT_EQ(both.ours, both.libc);
}

volatile int levels_left;  // keeps the recursion from being made a loop
__attribute__((noinline)) void Recurse(int depth, BothStacks* both) {
  if (depth == 0) {
    TakeBoth(both);
  } else {
    Recurse(depth - 1, both);
  }
  levels_left = depth;
}

TEST(UnwinderTest, RecursionOfKnownDepthShowsOneFrameALevel) {
  BothStacks shallow, deep;
  Recurse(5, &shallow);
  Recurse(45, &deep);
  ExpectSame(shallow);
  ExpectSame(deep);
  EXPECT_EQ(deep.ours.size(), shallow.ours.size() + 40);
}

TEST(UnwinderTest, FramesWithoutFramePointersAreWalked) {
  BothStacks both;
  RecurseWithoutFramePointer(20, TakeBoth, &both);
  ExpectSame(both);
}

TEST(UnwinderTest, ARealignedFrameOfVariableSizeIsWalked) {
  BothStacks both;
  for (const int bytes : {1, 100, 5000}) {
    CallFromRealignedFrame(bytes, TakeBoth, &both);
    ExpectSame(both);
  }
}

BothStacks in_handler;
void Handler(int) { TakeBoth(&in_handler); }

TEST(UnwinderTest, ASignalHandlerLeadsBackIntoTheInterruptedCode) {
  struct sigaction action {}, before {};
  action.sa_handler = Handler;
  sigaction(SIGUSR1, &action, &before);
  BothStacks outside;
  TakeBoth(&outside);
  raise(SIGUSR1);
  sigaction(SIGUSR1, &before, nullptr);
  ExpectSame(in_handler);
  // The test's own callers are above the handler's frames.
  ASSERT_GT(in_handler.ours.size(), outside.ours.size());
  EXPECT_TRUE(std::equal(outside.ours.rbegin(), outside.ours.rend() - 1, in_handler.ours.rbegin()));
}

TEST(UnwinderTest, ANewThreadsStackEndsInItsStart) {
  BothStacks both;
  std::thread([&] { Recurse(3, &both); }).join();
  ExpectSame(both);
}

TEST(UnwinderTest, ItStopsWhenThereIsNoMoreRoomForFrames) {
  UnwindFrame frames[3];
  bool complete = true;
  EXPECT_EQ(UnwindCallers(LOCKWARDEN_CFA, StackHigh(), frames, 3, &complete), 3u);
  EXPECT_FALSE(complete);
}

TEST(UnwinderTest, AnAddressThatIsNoFrameOfOursGivesNothing) {
  UnwindFrame frames[kMaxStackDepth];
  bool complete = true;
  const uint64_t high = StackHigh();
  std::mt19937_64 random(1);
  std::vector<uint64_t> wrong = {0, 8, LOCKWARDEN_CFA + 8, LOCKWARDEN_CFA - 8, high, high - 8,
                                 ~uint64_t{0}, ~uint64_t{0} - 7};
  for (int i = 0; i < 1000; ++i) wrong.push_back(random());
  for (const uint64_t cfa : wrong) {
    EXPECT_EQ(UnwindCallers(cfa, high, frames, kMaxStackDepth, &complete), 0u) << std::hex << cfa;
  }
}

TEST(UnwinderTest, NothingBeyondTheUpperBoundIsReported) {
  UnwindFrame whole[kMost], cut[kMost];
  bool complete = false;
  const uint64_t cfa = LOCKWARDEN_CFA, high = StackHigh();
  const size_t all = UnwindCallers(cfa, high, whole, kMost, &complete);
  ASSERT_TRUE(complete);
  for (uint64_t bound = cfa; bound < cfa + 4096; bound += 8) {
    const size_t count = UnwindCallers(cfa, bound, cut, kMost, &complete);
    ASSERT_LE(count, all);
    if (count < all) {
      EXPECT_FALSE(complete);
    }
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(cut[i].pc, whole[i].pc);
      EXPECT_LT(cut[i].slot, bound);
    }
  }
}

// Registers as a wrong table could leave them. The bounds end at a page that must not be
// touched: a read past them would be a fault.
TEST(FrameRulesTest, RandomRegistersNeverLeadOutOfTheBounds) {
  constexpr uint64_t kPage = 4096;
  char* pages = static_cast<char*>(
      mmap(nullptr, 3 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(pages, MAP_FAILED);
  ASSERT_EQ(mprotect(pages + kPage, kPage, PROT_READ | PROT_WRITE), 0);
  const StackBounds bounds{reinterpret_cast<uint64_t>(pages) + kPage,
                           reinterpret_cast<uint64_t>(pages) + 2 * kPage};
  BothStacks both;
  RecurseWithoutFramePointer(3, TakeBoth, &both);
  ASSERT_GT(both.ours.size(), 4u);
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    Registers registers;
    for (uint64_t& value : registers.value) {
      // Inside, around, or anywhere.
      value = i % 4 == 3 ? random() : bounds.low - 256 + random() % (kPage + 512);
      if (i % 2 == 0) value &= ~uint64_t{7};
    }
    for (uint64_t at = bounds.low; at < bounds.high; at += 8) {
      if (i % 64 == 0) *reinterpret_cast<uint64_t*>(at) = random();
    }
    StepResult step;
    StepFrame(both.ours[random() % both.ours.size()] - 1, bounds, &registers, &step);
  }
  munmap(pages, 3 * kPage);
}

TEST(FrameRulesTest, CodeThatNobodyDescribesIsRefused) {
  StepResult step;
  Registers registers;
  const StackBounds bounds{LOCKWARDEN_CFA, StackHigh()};
  for (const uint64_t pc : {uint64_t{0}, uint64_t{1}, LOCKWARDEN_CFA, ~uint64_t{0}}) {
    EXPECT_FALSE(StepFrame(pc, bounds, &registers, &step));
  }
}

#endif  // defined(__x86_64__)

}  // namespace
}  // namespace lockwarden::ledger
