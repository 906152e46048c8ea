// The unwinder's short cut: which rules fit into a word, that applying the word is applying
// the rules, and for which pc and modules it is found.
#include "runtime/rule_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace lockwarden::ledger {
namespace {

TEST(CompactRuleTest, WhatDoesNotFitIsNoRule) {
  EXPECT_NE(Compact({.cfa_register = kRsp, .cfa_offset = 8}), kNoRule);
  EXPECT_NE(Compact({.cfa_register = kRbp, .cfa_offset = 16, .saved_at = {0, -16}}), kNoRule);
  for (const SimpleRule& rule : {
           SimpleRule{.cfa_register = 12, .cfa_offset = 8},
           SimpleRule{.cfa_offset = 0}, SimpleRule{.cfa_offset = -8},
           SimpleRule{.cfa_offset = 12}, SimpleRule{.cfa_offset = 8 << 15},
           SimpleRule{.cfa_offset = 64, .saved_at = {8}},
           SimpleRule{.cfa_offset = 64, .saved_at = {-12}},
           SimpleRule{.cfa_offset = 4096, .saved_at = {0, 0, -2048}},
       }) {
    EXPECT_EQ(Compact(rule), kNoRule) << rule.cfa_offset;
  }
  SimpleRule all_ones{.cfa_register = kRbp, .cfa_offset = 0x7fff * 8};
  for (int64_t& at : all_ones.saved_at) at = -0xff * 8;
  EXPECT_EQ(Compact(all_ones), kNoRule) << "stands for the outermost frame";
}

// Random rules on a random stack, against the rules written out.
TEST(CompactRuleTest, ApplyingTheWordIsApplyingTheRules) {
  std::mt19937_64 random(7);
  std::vector<uint64_t> stack(1024);
  for (uint64_t& word : stack) word = random();
  const uint64_t low = reinterpret_cast<uint64_t>(stack.data());
  const StackBounds bounds{low, low + stack.size() * 8};
  int inside = 0;
  for (int round = 0; round < 20000; ++round) {
    SimpleRule rule{.cfa_register = random() % 2 == 0 ? uint32_t{kRsp} : uint32_t{kRbp},
                    .cfa_offset = static_cast<int64_t>(8 + random() % 600 * 8)};
    for (int64_t& at : rule.saved_at) {
      at = random() % 2 == 0 ? 0 : -static_cast<int64_t>(8 + random() % 255 * 8);
    }
    const CompactRule word = Compact(rule);
    ASSERT_NE(word, kNoRule);
    Registers before;
    for (uint64_t& value : before.value) value = random();
    before.value[kRsp] = low + random() % 1024 * 8;
    before.value[kRbp] = low + random() % 1400 * 8;
    Registers expected = before;
    const uint64_t cfa =
        before.value[rule.cfa_register] + static_cast<uint64_t>(rule.cfa_offset);
    bool fits = cfa > before.value[kRsp] && bounds.Contains(cfa - 8);
    for (int i = 0; i < 6 && fits; ++i) {
      if (rule.saved_at[i] == 0) continue;
      const uint64_t slot = cfa + static_cast<uint64_t>(rule.saved_at[i]);
      fits = bounds.Contains(slot);
      if (fits) expected.value[kSavedRegisters[i]] = stack[(slot - low) / 8];
    }
    Registers actual = before;
    StepResult result;
    ASSERT_EQ(ApplyCompact(word, bounds, &actual, &result), fits);
    if (!fits) {
      EXPECT_TRUE(std::equal(before.value, before.value + kRegisters, actual.value));
      continue;
    }
    ++inside;
    expected.value[kRsp] = cfa;
    expected.value[kRip] = stack[(cfa - 8 - low) / 8];
    EXPECT_TRUE(std::equal(expected.value, expected.value + kRegisters, actual.value));
    EXPECT_EQ(result.cfa, cfa);
    EXPECT_EQ(result.return_slot, cfa - 8);
    EXPECT_FALSE(result.outermost);
  }
  EXPECT_GT(inside, 1000);
}

TEST(RuleCacheTest, FindsWhatWasKeptForThatPcAndThoseModules) {
  const auto cache = std::make_unique<RuleCache>();
  EXPECT_EQ(cache->Find(0x1000, 0), kNoRule);
  cache->Keep(0x1000, 3, 42);
  EXPECT_EQ(cache->Find(0x1000, 3), 42u);
  EXPECT_EQ(cache->Find(0x1000, 4), kNoRule) << "a library went meanwhile";
  EXPECT_EQ(cache->Find(0x1001, 3), kNoRule);
}

}  // namespace
}  // namespace lockwarden::ledger
