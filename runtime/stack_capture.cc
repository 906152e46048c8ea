// The slow half of stack capture: unwind, intern, remember.
#include "runtime/stack_capture.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>

#include "runtime/modules.h"
#include "runtime/signal_stack.h"
#include "runtime/unwinder.h"

// Weak, as in frame_rules.cc.
extern "C" int _dl_find_object(void*, struct dl_find_object*) noexcept __attribute__((weak));

namespace lockwarden::ledger {
namespace {

// Finds or adds the stack in the ledger; 0 when the tables are full (counted there).
uint32_t Intern(const Ledger& ledger, const uint64_t* pcs, uint32_t depth, uint32_t flags = 0) {
  uint64_t hash = depth | flags;
  for (uint32_t i = 0; i < depth; ++i) hash = MixHash(hash ^ pcs[i]);
  const uint32_t short_hash = static_cast<uint32_t>(hash);
  uint64_t* words = ledger.Table<uint64_t>(kStacks);
  const uint64_t head = (uint64_t{short_hash} << 32) | flags | depth;
  const auto same = [&](uint32_t id) {
    if (words[id] != head) return false;
    for (uint32_t i = 0; i < depth; ++i) {
      if (words[id + 1 + i] != pcs[i]) return false;
    }
    return true;
  };
  const GrowingIndex index = ledger.Index(kStackIndex);
  uint32_t id = index.Find(hash, same);
  if (id != GrowingIndex::kNotFound) return id;
  id = ledger.Allocate(kStacks, depth + 1);
  if (id == kNoIndex) return 0;
  NoteModulesOf(ledger, pcs, depth);
  words[id] = head;
  for (uint32_t i = 0; i < depth; ++i) words[id + 1 + i] = pcs[i];
  id = index.Insert(hash, id, same);
  if (id == GrowingIndex::kFull) {
    // Relaxed: a statistic, read at leisure.
    ledger.header().tables[kStackIndex].dropped.fetch_add(1, std::memory_order_relaxed);
    return 0;
  }
  return id;
}

// A free entry of the set; null: there is none. What an unloaded library may have been in is as
// good as free.
StackCacheEntry* FreeEntry(StackCacheEntry* set, uint32_t module_generation) {
  for (uint32_t way = 0; way < kStackCacheWays; ++way) {
    if (set[way].site == 0 || set[way].module_generation != module_generation) return &set[way];
  }
  return nullptr;
}

// Puts a stack into one of its sets, and if both are full in any place: where nine stacks take
// turns in eight entries, to replace the oldest would be to find none of them again.
void Remember(ThreadRecord* record, const UnwindFrame* frames, size_t count,
              const StackCacheEntry& key) {
  StackCacheEntry entry = key;
  const uint64_t cfa = entry.stack_pointer;
  // The site itself is in the key; remember the callers above it.
  uint32_t slots = 0;
  for (size_t i = 1; i < count && slots < StackCacheEntry::kSlots; ++i) {
    const uint64_t words = (frames[i].slot - cfa) / sizeof(uint64_t);
    if (frames[i].slot < cfa || words > INT16_MAX) continue;
    entry.slot_offset[slots] = static_cast<int16_t>(words);
    entry.slot_value[slots] = static_cast<uint32_t>(frames[i].pc);
    ++slots;
  }
  for (; slots < StackCacheEntry::kSlots; ++slots) {
    entry.slot_offset[slots] = -1;
    entry.slot_value[slots] = static_cast<uint32_t>(entry.site);
  }
  StackCacheEntry* const set = StackCacheSet(record, entry.site, cfa);
  StackCacheEntry* const other = OtherStackCacheSet(record, entry.site, cfa);
  StackCacheEntry* place = FreeEntry(set, entry.module_generation);
  if (place == nullptr) place = FreeEntry(other, entry.module_generation);
  if (place == nullptr) {
    // Relaxed: own counter.
    const uint64_t any = MixHash(record->acquisitions.load(std::memory_order_relaxed));
    place = &(any % 2 == 0 ? set : other)[any / 2 % kStackCacheWays];
  }
  *place = entry;
}

void CountFailure(ThreadRecord* record) {
  // Relaxed: own counter, read at leisure.
  record->stack_failures.store(record->stack_failures.load(std::memory_order_relaxed) + 1,
                               std::memory_order_relaxed);
}

// Cancellation and setuid reach other threads by signals whose handlers are libc's own. What
// runs below those, the cleanup handlers of a cancelled thread, is no code of a handler.
bool IsLibcHandler(uint64_t pc) {
  dl_find_object handler, libc;
  return _dl_find_object != nullptr &&
         _dl_find_object(reinterpret_cast<void*>(pc - 1), &handler) == 0 &&
         _dl_find_object(reinterpret_cast<void*>(&gnu_get_libc_version), &libc) == 0 &&
         handler.dlfo_link_map == libc.dlfo_link_map;
}

// How many of the frames belong to the signal handler that the stack ends in; 0: to none.
size_t FramesInHandler(const UnwindFrame* frames, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (frames[i].trampoline && (i == 0 || !IsLibcHandler(frames[i - 1].pc))) return i + 1;
  }
  return 0;
}

// Stack that a walk may take, twice over.
constexpr uint64_t kStackToWalk = 16384;
constexpr uint32_t kNothingFound = kNoIndex;

// Apart, so that its arrays lie on the stack only where there is room for them.
__attribute__((noinline)) uint32_t WalkAndIntern(ThreadRecord* record, uint64_t site,
                                                 uint64_t cfa, uint64_t high,
                                                 uint32_t module_generation) {
  UnwindFrame frames[kMaxStackDepth];
  uint64_t pcs[kMaxStackDepth];
  bool complete = false;
  const size_t count = UnwindCallers(cfa, high, frames, kMaxStackDepth, &complete);
  if (count == 0) return kNothingFound;
  if (const size_t in_handler = FramesInHandler(frames, count)) {
    // Not remembered: whoever takes a lock in a handler is to come by here (handler_use.h).
    for (size_t i = 0; i < in_handler; ++i) pcs[i] = frames[i].pc;
    return Intern(TheLedger(), pcs, static_cast<uint32_t>(in_handler), kStackInHandler);
  }
  if (!complete && count < kMaxStackDepth) CountFailure(record);
  for (size_t i = 0; i < count; ++i) pcs[i] = frames[i].pc;
  const uint32_t id = Intern(TheLedger(), pcs, static_cast<uint32_t>(count));
  Remember(
      record, frames, count,
      {.site = site, .stack_pointer = cfa, .stack = id, .module_generation = module_generation});
  return id;
}

}  // namespace

uint32_t InternSite(uint64_t site) { return Intern(TheLedger(), &site, 1); }

const StackCacheEntry* LookUpStackFurther(ThreadRecord* record, uint64_t site, uint64_t cfa,
                                          uint32_t generation) {
  const StackCacheEntry* const set = OtherStackCacheSet(record, site, cfa);
  for (uint32_t way = 0; way < kStackCacheWays; ++way) {
    if (IsThisStack(set[way], site, cfa, generation)) return &set[way];
  }
  return nullptr;
}

uint32_t CaptureStackSlow(ThreadRecord* record, uint64_t site, uint64_t cfa,
                          uint32_t module_generation) {
  const StackCacheEntry* const known = LookUpStackFurther(record, site, cfa, module_generation);
  if (known != nullptr) return known->stack;
  // Relaxed: own fields. Outside the thread's known stack, unless it is a signal stack that
  // the kernel knows of, nothing says how far memory goes (a coroutine's), and near its end
  // the walk itself would not fit: then the call site must do.
  uint64_t low = record->stack_low.load(std::memory_order_relaxed);
  uint64_t high = record->stack_high.load(std::memory_order_relaxed);
  if (cfa <= low || cfa >= high) SignalStackBounds(&low, &high);
  if (cfa > low && cfa - low > kStackToWalk && cfa < high) {
    const uint32_t id = WalkAndIntern(record, site, cfa, high, module_generation);
    if (id != kNothingFound) return id;
  }
  CountFailure(record);
  const uint32_t id = Intern(TheLedger(), &site, 1);
  Remember(
      record, nullptr, 0,
      {.site = site, .stack_pointer = cfa, .stack = id, .module_generation = module_generation});
  return id;
}

uint32_t CaptureForRecord(ThreadRecord* record, uint64_t site, uint64_t cfa) {
  if (TheSettings().stacks == StackMode::kSite) return InternSite(site);
  return CaptureIfWanted(record, site, cfa);
}

}  // namespace lockwarden::ledger
