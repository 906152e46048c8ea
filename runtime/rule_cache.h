// RuleCache: what the unwinder found out about a pc, so that it need not interpret the
// tables again. Nearly every frame is alike: the frame begins at a fixed distance from rsp
// or rbp, and callee-saved registers lie at fixed places below it. Such a rule is one word.
//
// Written and read by: any thread, without order between them. An entry is two words that
// two writers may mix up; each key holds its rule's bits too, so that a mixture fits no pc
// and counts as not there (R. M. Hyatt and T. Mann, "A lockless transposition table
// implementation for parallel search chess engines", ICGA Journal 25(1), 2002).
// Must never: hold what the tables do not say. A library that is unloaded moves the module
// generation, which is part of the key.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/frame_rules.h"

namespace lockwarden::ledger {

// 15 bits: distance of the frame's end (CFA) from the register, in words; 1 bit: which
// register; 8 bits for each of rbx, rbp, r12 to r15: how many words below the CFA it was
// saved, 0 if it was not.
using CompactRule = uint64_t;
inline constexpr CompactRule kNoRule = 0;  // a frame's end is at least one word from rsp
inline constexpr CompactRule kOutermost = ~uint64_t{0};  // there is no caller
inline constexpr uint32_t kSavedRegisters[6] = {kRbx, kRbp, 12, 13, 14, 15};

struct SimpleRule {
  uint32_t cfa_register = kRsp;
  int64_t cfa_offset = 0;     // bytes
  int64_t saved_at[6] = {};   // bytes from the CFA; 0: not saved
};
// kNoRule if it does not fit.
constexpr CompactRule Compact(const SimpleRule& rule) {
  const bool fits = (rule.cfa_register == kRsp || rule.cfa_register == kRbp) &&
                    rule.cfa_offset > 0 && rule.cfa_offset % 8 == 0 &&
                    rule.cfa_offset / 8 < (1 << 15);
  if (!fits) return kNoRule;
  CompactRule word = static_cast<uint64_t>(rule.cfa_offset / 8) |
                     (rule.cfa_register == kRbp ? uint64_t{1} << 15 : 0);
  for (int i = 0; i < 6; ++i) {
    const int64_t below = -rule.saved_at[i];
    if (below < 0 || below % 8 != 0 || below / 8 > 0xff) return kNoRule;
    word |= static_cast<uint64_t>(below / 8) << (16 + 8 * i);
  }
  return word == kOutermost ? kNoRule : word;
}

// Turns the registers of a frame into those of its caller. False: not within the bounds;
// *registers is then as before.
inline bool ApplyCompact(CompactRule rule, const StackBounds& bounds, Registers* registers,
                         StepResult* result) {
  const uint64_t base = registers->value[(rule >> 15 & 1) != 0 ? kRbp : kRsp];
  const uint64_t cfa = base + (rule & 0x7fff) * 8;
  if (cfa <= registers->value[kRsp] || !bounds.Contains(cfa - 8)) return false;
  uint64_t saved[6];
  for (int i = 0; i < 6; ++i) {
    const uint64_t below = rule >> (16 + 8 * i) & 0xff;
    if (below != 0 && !bounds.Contains(cfa - below * 8)) return false;
    saved[i] = below == 0 ? registers->value[kSavedRegisters[i]]
                          : *reinterpret_cast<const uint64_t*>(cfa - below * 8);
  }
  for (int i = 0; i < 6; ++i) registers->value[kSavedRegisters[i]] = saved[i];
  registers->value[kRip] = *reinterpret_cast<const uint64_t*>(cfa - 8);
  registers->value[kRsp] = cfa;
  *result = {.cfa = cfa, .return_slot = cfa - 8};
  return true;
}

class RuleCache {
 public:
  CompactRule Find(uint64_t pc, uint32_t generation) const {
    const Entry& entry = At(pc);
    // Relaxed, both: the key tells whether they belong together.
    const CompactRule rule = entry.rule.load(std::memory_order_relaxed);
    const uint64_t key = entry.key.load(std::memory_order_relaxed);  // as above
    return (key ^ rule) == KeyOf(pc, generation) ? rule : kNoRule;
  }
  void Keep(uint64_t pc, uint32_t generation, CompactRule rule) {
    Entry& entry = At(pc);
    // Relaxed, both: as in Find.
    entry.rule.store(rule, std::memory_order_relaxed);
    entry.key.store(KeyOf(pc, generation) ^ rule, std::memory_order_relaxed);  // as above
  }

 private:
  struct Entry {
    std::atomic<uint64_t> rule{0}, key{0};
  };
  static constexpr uint32_t kEntries = 4096;
  // Addresses of programs have 47 bits. Never 0, which an empty entry would match.
  static uint64_t KeyOf(uint64_t pc, uint32_t generation) {
    return pc | uint64_t{generation} << 47 | uint64_t{1} << 63;
  }
  static uint64_t Place(uint64_t pc) { return (pc * 0x9e3779b97f4a7c15ull) >> 52; }
  const Entry& At(uint64_t pc) const { return entries_[Place(pc)]; }
  Entry& At(uint64_t pc) { return entries_[Place(pc)]; }

  Entry entries_[kEntries];
};

}  // namespace lockwarden::ledger
