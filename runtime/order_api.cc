// The recorder's side of lock order: reads this thread's held list, writes misuse records.
#include "runtime/order_api.h"

#include "runtime/class_tally.h"
#include "runtime/lock_class.h"
#include "runtime/misuse.h"
#include "runtime/process.h"
#include "runtime/user_lock.h"

namespace lockwarden::ledger {
namespace {

// One hook that has nothing to do where nothing is recorded.
template <class Body>
void InHook(uint64_t cfa, Body body) {
  InScope(
      cfa, [] { return 0; }, [&](const auto& scope) { return body(Place(scope)), 0; });
}

uint32_t CopyHolds(const ThreadRecord& record, HoldView* out, uint32_t capacity) {
  const LockRecord* locks = this_thread.locks;
  uint32_t found = 0;
  for (uint32_t f = 0; f < kFrames; ++f) {
    // Relaxed, all: own record; a lock record's address is written once.
    const uint32_t count = record.FrameAt(f).held_count.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < count && found < capacity; ++i) {
      const HeldEntry& entry = record.held[kHeldBegin[f] + i];
      const PackedRef ref = entry.lock.load(std::memory_order_relaxed);  // own record
      if (ref == 0) continue;
      const LockRecord& lock = locks[IndexOf(ref)];
      // Acquire: pairs with L1 of lock_identity.cc. Where a life has ended, memory is not a lock.
      if ((lock.generation.load(std::memory_order_acquire) & kGenerationMask) !=
          GenerationOf(ref)) {
        continue;
      }
      // Relaxed, all: own record, and what is as old as the life.
      const uint32_t kind_and_flags = lock.kind_and_flags.load(std::memory_order_relaxed);
      // Of many locks that share a record the address is nobody's: not to be looked at.
      const bool folded = (kind_and_flags & kFolded) != 0;
      out[found++] = {reinterpret_cast<const void*>(lock.address.load(std::memory_order_relaxed)),
                      ref, entry.site.load(std::memory_order_relaxed),  // as above
                      entry.stack.load(std::memory_order_relaxed),      // as above
                      folded ? LockKind::kNone : KindOf(kind_and_flags)};
    }
  }
  return found;
}

__attribute__((noinline)) uint32_t Held(HoldView* out, uint32_t capacity) {
  // Relaxed: own record.
  if (CanRecordAtOnce() &&
      this_thread.record->frame0.held_count.load(std::memory_order_relaxed) == 0) {
    return 0;
  }
  uint32_t found = 0;
  InHook(LOCKWARDEN_CFA,
         [&](const Place& place) { found = CopyHolds(*place.record, out, capacity); });
  return found;
}

uint8_t ModeHeld(const void* lock) {
  uint8_t mode = kModeNotKnown;
  InHook(LOCKWARDEN_CFA, [&](const Place& place) {
    const PackedRef life = FindLock(lock);
    const HeldEntry* entry = life == 0 ? nullptr : FindHeld(place.record, IndexOf(life));
    // Relaxed: own record.
    const PackedRef ref = entry == nullptr ? 0 : entry->lock.load(std::memory_order_relaxed);
    const bool same = WithoutMode(ref) == WithoutMode(life);
    const bool missed = life == 0 ||
                        place.record->held_dropped.load(std::memory_order_relaxed) != 0 ||  // own
                        place.record->nested_dropped.load(std::memory_order_relaxed) != 0;  // own
    if (entry == nullptr && missed) return;
    mode = static_cast<uint8_t>(same && ref != 0 ? ModeOf(ref) : Mode::kNone);
  });
  return mode;
}

template <LockKind kKind>
uint32_t DescribeOwn(const void*) {
  return static_cast<uint32_t>(kKind) |
         (kKind == LockKind::kRLock ? uint32_t{kRecursive} : uint32_t{0});
}
DescribeLock DescribeAs(LockKind kind) {
  switch (kind) {
    case LockKind::kRLock:
      return DescribeOwn<LockKind::kRLock>;
    case LockKind::kSharedLock:
      return DescribeOwn<LockKind::kSharedLock>;
    case LockKind::kSemaphore:
      return DescribeOwn<LockKind::kSemaphore>;
    default:
      return DescribeOwn<LockKind::kLock>;
  }
}

LockUse Use(const Place& place, const LockCall& call) {
  return IdentifyLock(place.record, call.lock, DescribeAs(call.kind), call.site, call.cfa);
}
PackedRef Identify(const Place& place, const LockCall& call) { return Use(place, call).ref; }

void SetName(std::atomic<uint32_t>& name, const char* text) {
  // Relaxed: a name for people; a reader checks that it ends with a NUL inside the table.
  if (text == nullptr || *text == '\0' || name.load(std::memory_order_relaxed) != 0) return;
  name.store(InternName(TheLedger(), text), std::memory_order_relaxed);  // as above
}

// What is said of one of the locks that share a record would be said of all.
bool IsFolded(PackedRef ref) {
  // Relaxed: as old as the life.
  return (this_thread.locks[IndexOf(ref)].kind_and_flags.load(std::memory_order_relaxed) &
          kFolded) != 0;
}

void Describe(const LockCall& call, const char* name, const char* class_name, const void* key) {
  InHook(call.cfa, [&](const Place& place) {
    const LockUse use = Use(place, call);
    if (use.ref == 0 || IsFolded(use.ref)) return;
    const Ledger ledger = TheLedger();
    LockRecord& lock = ledger.Table<LockRecord>(kLocks)[IndexOf(use.ref)];
    SetName(lock.name, name);
    if (class_name == nullptr) return;
    const uint64_t site = reinterpret_cast<uint64_t>(key);
    uint32_t own = lock.lock_class.load(std::memory_order_relaxed);  // a hint, as below
    LockClassRecord* classes = ledger.Table<LockClassRecord>(kClasses);
    // Relaxed: whoever comes here for this lock stores the same.
    if (own == 0 || classes[own - 1].site.load(std::memory_order_relaxed) != site) {
      own = ClassOf(ledger, site, 0, call.kind);
      if (own == 0) return;
      SetName(classes[own - 1].name, class_name);
      lock.lock_class.store(own, std::memory_order_relaxed);  // as above
    }
    CountForClass(ledger, place.record, *use.cached, own);
  });
}

void NoteViolation(const LockCall& call, const HoldView& held, OrderRule rule) {
  InHook(call.cfa, [&](const Place& place) {
    const PackedRef wanted = call.lock == nullptr ? 0 : Identify(place, call);
    NoteOrderViolation(place, wanted, held.ref, {held.site, held.stack}, rule, call.site);
  });
}

void NoteMisuse(const LockCall& call, MisuseKind kind, uint32_t owner, uint32_t readers) {
  InHook(call.cfa, [&](const Place& place) {
    const PackedRef life = Identify(place, call);
    if (life == 0 || IsFolded(life)) return;
    switch (kind) {
      case MisuseKind::kUnlockNotOwner:
        return NoteRefusedRelease(place, life, {.owner = owner, .readers = readers}, call.site);
      case MisuseKind::kDestroyHeld:
        return NoteTakenDestroy(place, life, {.owner = owner, .readers = readers}, call.site);
      case MisuseKind::kRelock:
        return NoteRelock(place, life, call.site);
      case MisuseKind::kOverrun:
        return NoteOverrun(place, life, call.site);
      default:
        return;
    }
  });
}

OrderChoice Choice() {
  LoadSettings();
  return TheSettings().order_choice;
}

constexpr OrderApi kApi = {.version = OrderApi::kVersion,
                           .reserved = 0,
                           .held = Held,
                           .mode_held = ModeHeld,
                           .describe = Describe,
                           .note_violation = NoteViolation,
                           .note_misuse = NoteMisuse,
                           .user = {.about_to_wait = UserAboutToWait,
                                    .acquired = UserAcquired,
                                    .released = UserReleased,
                                    .destroyed = UserDestroyed,
                                    .named = UserNamed},
                           .choice = Choice};

}  // namespace
}  // namespace lockwarden::ledger

const lockwarden::ledger::OrderApi* lockwarden_order_v1() { return &lockwarden::ledger::kApi; }
