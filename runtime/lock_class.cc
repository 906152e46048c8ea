// Interns lock classes by (site, kind).
#include "runtime/lock_class.h"

#include "runtime/modules.h"

namespace lockwarden::ledger {

uint32_t ClassOf(const Ledger& ledger, uint64_t site, uint32_t stack, LockKind kind) {
  const uint64_t hash = MixHash(site ^ (uint64_t{static_cast<uint8_t>(kind)} << 56));
  LockClassRecord* classes = ledger.Table<LockClassRecord>(kClasses);
  const auto same = [&](uint32_t index) {
    // Relaxed: written before the slot that led here was published (I1/I2).
    return classes[index].site.load(std::memory_order_relaxed) == site &&
           classes[index].kind.load(std::memory_order_relaxed) == static_cast<uint32_t>(kind);
  };
  const GrowingIndex index = ledger.Index(kClassIndex);
  uint32_t found = index.Find(hash, same);
  if (found == GrowingIndex::kNotFound) {
    found = ledger.Allocate(kClasses);
    if (found == kNoIndex) return 0;
    if (stack == 0) NoteModulesOf(ledger, &site, 1);
    // Relaxed: published by the index slot (I1).
    classes[found].site.store(site, std::memory_order_relaxed);
    classes[found].stack.store(stack, std::memory_order_relaxed);                       // as above
    classes[found].kind.store(static_cast<uint32_t>(kind), std::memory_order_relaxed);  // as above
    found = index.Insert(hash, found, same);
    if (found == GrowingIndex::kFull) {
      // Relaxed: a statistic.
      ledger.header().tables[kClassIndex].dropped.fetch_add(1, std::memory_order_relaxed);
      return 0;
    }
  }
  classes[found].locks.fetch_add(1, std::memory_order_relaxed);  // a statistic
  return found + 1;
}

}  // namespace lockwarden::ledger
