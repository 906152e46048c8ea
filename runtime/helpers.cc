#include "runtime/helpers.h"

#include "runtime/own_acquire.h"
#include "runtime/recorder.h"

namespace lockwarden::ledger {
namespace {

// Drops what does not exist any more; how many are left. A handler that comes between may lose its
// own entry by it, and is then one of those that are counted but not listed.
uint64_t DropEnded(ThreadRecord* record) {
  uint64_t kept = 0;
  for (uint32_t i = 0; i < kHelpedCapacity; ++i) {
    const PackedRef ref = record->helped[i].load(std::memory_order_relaxed);  // own record
    // Acquire: pairs with L1 of lock_identity.cc.
    const uint32_t generation =
        this_thread.locks[IndexOf(ref)].generation.load(std::memory_order_acquire);
    if (LifeIn(generation) != GenerationOf(ref)) continue;
    record->helped[kept++].store(ref, std::memory_order_release);  // R2
  }
  return kept;
}

}  // namespace

void NoteHelper(ThreadRecord* record, PackedRef object) {
  const PackedRef ref = WithoutMode(object);
  uint64_t count = record->helped_count.load(std::memory_order_relaxed);  // own record
  for (uint64_t i = 0; i < count; ++i) {
    if (record->helped[i].load(std::memory_order_relaxed) == ref) return;  // own record
  }
  std::atomic<uint32_t>& helpers = HelperCount(this_thread.locks[IndexOf(ref)]);
  // Relaxed: once set it stays.
  if ((helpers.load(std::memory_order_relaxed) & kUnlistedHelpers) != 0) return;
  if (count == kHelpedCapacity) count = DropEnded(record);
  if (count == kHelpedCapacity) {
    helpers.fetch_or(kUnlistedHelpers, std::memory_order_relaxed);  // R1
    return;
  }
  helpers.fetch_add(1, std::memory_order_relaxed);                   // R1
  record->helped[count].store(ref, std::memory_order_release);       // R2
  record->helped_count.store(count + 1, std::memory_order_release);  // R2
}

bool NoteHelp(const Place& place, const void* object, DescribeLock describe, const char* name,
              uint64_t site) {
  const LockUse use = IdentifyLock(place.record, object, describe, site, place.cfa);
  if (use.ref == 0 || (use.kind_and_flags & kFolded) != 0) return false;
  if (name != nullptr) NameOnce(object, name);
  NoteHelper(place.record, use.ref);
  return true;
}

}  // namespace lockwarden::ledger
