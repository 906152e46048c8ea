// What a fingerprint depends on, and what it does not.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "tests/reporting/sample_findings.h"
#include "watchdog/report.h"

namespace lockwarden {
namespace {

void ForEachStack(Finding* finding, const std::function<void(StackTrace*)>& visit) {
  for (FindingThread& thread : finding->threads) {
    visit(&thread.stack);
    for (FindingHold& hold : thread.holds) visit(&hold.stack);
  }
}

// The same bug in another process: everything that a new run or load address changes.
Finding InAnotherRun(Finding finding, uint32_t shift) {
  finding.pid += shift;
  finding.time_ns += shift;
  finding.image_id[0] ^= shift;
  finding.incident = "another";
  for (FindingThread& thread : finding.threads) {
    thread.tid += shift;
    thread.serial += shift;
    thread.name += "'";
    thread.blocked_seconds += shift;
  }
  for (FindingLock& lock : finding.locks) {
    lock.id += shift;
    lock.address += 4096ull * shift;
    lock.label = "mutex " + std::to_string(lock.id);
  }
  ForEachStack(&finding, [&](StackTrace* stack) {
    for (StackFrame& frame : *stack) {
      frame.pc += 4096ull * shift;
      frame.line += static_cast<int>(shift);
    }
  });
  return finding;
}

Finding Rotated(Finding finding, size_t by) {
  by %= finding.cycle.empty() ? 1 : finding.cycle.size();
  std::rotate(finding.cycle.begin(), finding.cycle.begin() + static_cast<ptrdiff_t>(by),
              finding.cycle.end());
  return finding;
}

// Stores threads and locks in another order; what refers to them follows.
Finding Shuffled(const Finding& original, std::mt19937* random) {
  Finding finding = original;
  std::vector<size_t> threads(finding.threads.size()), locks(finding.locks.size());
  std::iota(threads.begin(), threads.end(), 0);
  std::iota(locks.begin(), locks.end(), 0);
  std::shuffle(threads.begin(), threads.end(), *random);
  std::shuffle(locks.begin(), locks.end(), *random);
  for (size_t i = 0; i < threads.size(); ++i) finding.threads[threads[i]] = original.threads[i];
  for (size_t i = 0; i < locks.size(); ++i) finding.locks[locks[i]] = original.locks[i];
  for (size_t& index : finding.cycle) index = threads[index];
  for (FindingThread& thread : finding.threads) {
    if (thread.waits && !finding.locks.empty()) thread.waits_for = locks[thread.waits_for];
    for (FindingHold& hold : thread.holds) hold.lock = locks[hold.lock];
    std::shuffle(thread.holds.begin(), thread.holds.end(), *random);
  }
  return finding;
}

// A ring of threads; thread i runs code variants[i], holds lock i, waits for lock i+1.
Finding Ring(const std::vector<int>& variants) {
  Finding finding;
  finding.kind = FindingKind::kDeadlock;
  for (size_t i = 0; i < variants.size(); ++i) {
    FindingLock lock;
    lock.id = i + 1;
    lock.kind = "mutex";
    lock.lock_class = "make things.c:5";
    finding.locks.push_back(lock);
    StackFrame frame;
    frame.function = "variant_" + std::to_string(variants[i]);
    frame.file = "things.c";
    frame.module = "/bin/things";
    FindingThread thread;
    thread.tid = static_cast<uint32_t>(i + 1);
    thread.stack = {frame};
    thread.waits = true;
    thread.waits_for = (i + 1) % variants.size();
    thread.waits_mode = "exclusive";
    FindingHold hold;
    hold.lock = i;
    hold.mode = "exclusive";
    hold.stack = {frame};
    thread.holds = {hold};
    finding.threads.push_back(thread);
    finding.cycle.push_back(i);
  }
  return finding;
}

TEST(FingerprintTest, Has16HexadecimalDigits) {
  for (const auto& [name, finding] : AllSamples()) {
    const std::string fingerprint = Fingerprint(finding);
    EXPECT_EQ(fingerprint.size(), 16u);
    EXPECT_EQ(fingerprint.find_first_not_of("0123456789abcdef"), fingerprint.npos) << name;
  }
}

TEST(FingerprintTest, IsTheSameInAnotherRunStoredInAnyOrder) {
  std::mt19937 random(20261121);
  for (const auto& [name, finding] : AllSamples()) {
    const std::string fingerprint = Fingerprint(finding);
    for (uint32_t i = 0; i < 50; ++i) {
      const Finding other = Shuffled(Rotated(InAnotherRun(finding, i), i), &random);
      EXPECT_EQ(Fingerprint(other), fingerprint) << name << ", round " << i;
    }
  }
}

TEST(FingerprintTest, KindsAndCodeTellFindingsApart) {
  std::map<std::string, std::string> seen;
  for (const auto& [name, finding] : AllSamples()) {
    EXPECT_TRUE(seen.emplace(Fingerprint(finding), name).second) << name;
  }
  const Finding finding = TwoThreadDeadlock();
  const auto differs = [&](const char* what, const std::function<void(Finding*)>& change) {
    Finding other = finding;
    change(&other);
    EXPECT_NE(Fingerprint(other), Fingerprint(finding)) << what;
  };
  differs("kind", [](Finding* f) { f->kind = FindingKind::kPotentialDeadlock; });
  differs("function", [](Finding* f) { f->threads[0].stack[1].function = "grab_spoon"; });
  differs("file", [](Finding* f) { f->threads[0].stack[1].file = "spoons.c"; });
  differs("where it was taken", [](Finding* f) { f->threads[1].holds[0].stack[1].function = "g"; });
  differs("lock class", [](Finding* f) { f->locks[1].lock_class = "lay_cloth philosophers.c:20"; });
  differs("mode", [](Finding* f) { f->threads[0].waits_mode = "shared"; });
  differs("sort of misuse", [](Finding* f) { f->misuse = "relock"; });
}

TEST(FingerprintTest, TheSameMisuseOfAnotherKindOfLockIsAnother) {
  Finding finding = UnlockByAnotherThread();
  finding.threads.resize(1);  // who held it is not always known
  Finding other = finding;
  other.locks[0].kind = "rwlock";
  EXPECT_NE(Fingerprint(other), Fingerprint(finding));
}

TEST(FingerprintTest, BystandersAndLocksBesideTheCycleDoNotMatter) {
  Finding finding = TwoThreadDeadlock();
  const std::string fingerprint = Fingerprint(finding);
  finding.threads.resize(2);
  finding.threads[0].holds.resize(1);
  EXPECT_EQ(Fingerprint(finding), fingerprint);
}

TEST(FingerprintTest, HooksInliningOfTheLibraryAndClonesDoNotMatter) {
  Finding finding = TwoThreadDeadlock();
  const std::string fingerprint = Fingerprint(finding);
  ForEachStack(&finding, [](StackTrace* stack) {
    if (stack->size() < 2) return;
    stack->erase(stack->begin());  // linked in instead of preloaded
    StackFrame guard;
    guard.function = "std::lock_guard<std::mutex>::lock_guard";
    (*stack)[0].function += ".constprop.0";
    (*stack)[0].file = "/build/elsewhere/" + (*stack)[0].file;
    stack->insert(stack->begin(), guard);
  });
  EXPECT_EQ(Fingerprint(finding), fingerprint);
}

TEST(FingerprintTest, WithoutSymbolsModuleAndOffsetTell) {
  Finding moved = DeadlockWithoutSymbols();
  ForEachStack(&moved, [](StackTrace* stack) {
    for (StackFrame& frame : *stack) {
      if (!frame.module.empty()) frame.module = "/elsewhere/" + frame.module;
      frame.pc += 0x10000;
    }
  });
  EXPECT_EQ(Fingerprint(moved), Fingerprint(DeadlockWithoutSymbols()));
  moved.threads[0].stack[0].module_offset += 4;
  EXPECT_NE(Fingerprint(moved), Fingerprint(DeadlockWithoutSymbols()));
}

TEST(FingerprintTest, RingsOfTheSameCodeAreOneBugWhateverTheirLength) {
  EXPECT_EQ(Fingerprint(Ring({1, 1})), Fingerprint(Ring({1, 1, 1, 1, 1})));
  EXPECT_EQ(Fingerprint(Ring({1, 2})), Fingerprint(Ring({2, 1, 2, 1})));
  EXPECT_NE(Fingerprint(Ring({1, 2})), Fingerprint(Ring({1, 1, 2})));
}

// The naive twin: two rings are the same bug exactly if, repeated to a common length,
// one is a rotation of the other.
TEST(FingerprintTest, AgreesWithComparingAllRotationsOnRandomRings) {
  const auto same = [](const std::vector<int>& a, const std::vector<int>& b) {
    std::vector<int> x, y;
    for (size_t i = 0; i < a.size() * b.size(); ++i) {
      x.push_back(a[i % a.size()]);
      y.push_back(b[i % b.size()]);
    }
    for (size_t i = 0; i < x.size(); ++i) {
      if (x == y) return true;
      std::rotate(x.begin(), x.begin() + 1, x.end());
    }
    return false;
  };
  std::mt19937 random(7);
  int equal = 0;
  for (int round = 0; round < 2000; ++round) {
    std::vector<int> a(1 + random() % 6), b(1 + random() % 6);
    for (int& variant : a) variant = static_cast<int>(random() % 2);
    for (int& variant : b) variant = static_cast<int>(random() % 2);
    equal += same(a, b);
    ASSERT_EQ(Fingerprint(Ring(a)) == Fingerprint(Ring(b)), same(a, b)) << "round " << round;
  }
  EXPECT_GT(equal, 100);  // both answers were tried
}

}  // namespace
}  // namespace lockwarden
