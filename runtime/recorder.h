// The recorder's fast path: what happens on an application's thread around each
// acquire and release. docs/interposition.md has the picture.
//
//   InScope(cfa, plain, [](scope) {      enter: two compares; else plain()
//     Acquisition a(scope, ...);         identify, order, publish the wait
//     rc = real(...);                    the program's own lock
//     a.Finish(acquired); });            clear the wait, push the held entry
//
// Written by: the owning thread, into its own record (thread_record.h says which way each
// field may lie, P1..P7). Must never: allocate, lock, make a system call, touch errno.
#pragma once

#include <cstdint>

#include "runtime/gate.h"
#include "runtime/handler_use.h"
#include "runtime/hold_timer.h"
#include "runtime/lock_identity.h"
#include "runtime/lock_order.h"
#include "runtime/stack_capture.h"

namespace lockwarden::ledger {

#define LOCKWARDEN_SITE reinterpret_cast<uint64_t>(__builtin_return_address(0))
#define LOCKWARDEN_CFA reinterpret_cast<uint64_t>(__builtin_dwarf_cfa())

// Registers the thread, or the process, if need be and if it can be done now. False:
// run the call unrecorded.
bool EnterSlow(uint64_t cfa);
// Hooks left by longjmp or cancellation: forget their frames and what they waited for.
// Before a hook whose caller's stack is at `cfa`, and at the end of the thread.
void DropStaleFrames(uint64_t cfa);
void DropAllFrames();

#define LOCKWARDEN_INLINE __attribute__((always_inline)) inline

// Which frame of the record a hook works in. Nearly always the first, which the compiler
// then knows; a hook that interrupts another (in a signal handler) works in the next one,
// so that an interrupted update is never published half.
struct FirstFrame {
  static constexpr uint32_t index() { return 0; }
};
struct AnyFrame {
  uint32_t value;
  uint32_t index() const { return value; }
};

// One hook in progress, on a thread that is registered. Lives inside InScope only.
template <class WhichFrame>
class Scope {
 public:
  Scope(ThreadRecord* record, uint64_t cfa, WhichFrame which)
      : record_(record), cfa_(cfa), which_(which) {}
  ThreadRecord* record() const { return record_; }
  uint32_t frame_index() const { return which_.index(); }
  Frame& frame() const { return record_->FrameAt(which_.index()); }
  uint64_t cfa() const { return cfa_; }  // of the hook: identifies its caller's stack

 private:
  ThreadRecord* record_;
  uint64_t cfa_;
  [[no_unique_address]] WhichFrame which_;
};

// Takes the next frame for a hook that begins while another is in progress. False: deeper
// than there are frames (counted), or inside the recorder itself.
bool EnterFrame(uint64_t cfa);

// The less usual ways into a hook: first call of a thread or process, interrupted hook.
template <class Plain, class Body, class... Arguments>
__attribute__((noinline, cold)) auto InScopeSlow(uint64_t cfa, Plain plain, Body body,
                                                 Arguments... arguments) {
  ThisThread& self = this_thread;
  if (self.epoch != TheGate()->epoch.load(std::memory_order_acquire) && !EnterSlow(cfa)) {  // G2
    return plain(arguments...);
  }
  if (!EnterFrame(cfa)) return plain(arguments...);
  const uint32_t frame = self.Depth() - 1;
  const auto result = body(Scope<AnyFrame>(self.record, cfa, AnyFrame{frame}), arguments...);
  self.LeaveFrame(frame);
  return result;
}

// This thread is registered with the present image and no hook of it is in progress.
LOCKWARDEN_INLINE bool CanRecordAtOnce() {
  const ThisThread& self = this_thread;
  return __builtin_expect(self.epoch == TheGate()->epoch.load(std::memory_order_acquire) &&  // G2
                              self.busy == 0,
                          1);
}

// Runs body(scope, arguments...) with a frame of this thread's record, or
// plain(arguments...) where nothing can be recorded. A body that is left by longjmp or by
// the unwinding of a cancelled thread leaves its frame behind; the thread's next hook drops
// it (DropStaleFrames). Arguments travel in registers where captures would be stored.
template <class Plain, class Body, class... Arguments>
LOCKWARDEN_INLINE auto InScope(uint64_t cfa, Plain plain, Body body, Arguments... arguments) {
  if (CanRecordAtOnce()) {
    ThisThread& self = this_thread;
    self.busy = cfa;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // what follows is done in the frame
    const auto result = body(Scope<FirstFrame>(self.record, cfa, FirstFrame{}), arguments...);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // and what came before
    self.busy = 0;
    return result;
  }
  return InScopeSlow(cfa, plain, body, arguments...);
}

// Returns the new count.
LOCKWARDEN_INLINE uint64_t CountAcquisition(ThreadRecord* record) {
  // Relaxed read: own record.
  const uint64_t count = record->acquisitions.load(std::memory_order_relaxed) + 1;
  record->acquisitions.store(count, std::memory_order_release);  // P5
  return count;
}
// The same for what is acquired, but no hold of its own.
LOCKWARDEN_INLINE void CountWithoutHold(ThreadRecord* record) {
  if (__builtin_expect(IsTimeToTime(record, CountAcquisition(record)), 0)) PassTimedHold(record);
}

// Above the count no reader takes an entry for a hold, and no handler writes (it works in
// another frame). So a hold is written before the acquire that it is for, and says where a
// wait came from that nobody expected; once the lock is there only the count has to move.
LOCKWARDEN_INLINE void WriteHold(ThreadRecord* record, uint32_t frame, uint32_t count,
                                 PackedRef ref, uint64_t site, uint32_t stack) {
  HeldEntry& entry = record->held[kHeldBegin[frame] + count];
  entry.lock.store(ref, std::memory_order_relaxed);     // P4
  entry.site.store(site, std::memory_order_relaxed);    // P4
  entry.stack.store(stack, std::memory_order_relaxed);  // P4; depth is 0 above the count
}

// Held list. Relaxed accesses to own fields: only this thread writes them; the count is
// released (P6, P7) so that a reader finds whole entries below it.
void PushHeldSlow(ThreadRecord* record, uint32_t frame, PackedRef ref, uint64_t site,
                  uint32_t stack);
LOCKWARDEN_INLINE void PushHeld(ThreadRecord* record, uint32_t frame, PackedRef ref, uint64_t site,
                     uint32_t stack) {
  std::atomic<uint32_t>& held_count = record->FrameAt(frame).held_count;
  const uint32_t count = held_count.load(std::memory_order_relaxed);  // own field
  if (__builtin_expect(count >= kHeldCapacity[frame], 0)) {
    return PushHeldSlow(record, frame, ref, site, stack);
  }
  WriteHold(record, frame, count, ref, site, stack);
  const uint64_t acquisitions = CountAcquisition(record);  // P5: the counter that a reader compares
  held_count.store(count + 1, std::memory_order_release);  // P6
  if (__builtin_expect(IsTimeToTime(record, acquisitions), 0)) TimeNewestHold(record, frame);
}

// The held entry of the lock at this index (any life: it is the same address), newest
// first, in whichever frame it was taken (a handler may leave a lock behind for the code
// that it interrupted). Null if it was never recorded.
HeldEntry* FindHeld(ThreadRecord* record, uint32_t lock_index);
// Removes an entry that is not on top, or undoes one level of a recursive lock. Returns
// what was removed, or 0 if the thread was not known to hold it (which is normal). `frame`
// is the caller's own: frames below it were interrupted.
PackedRef PopHeld(ThreadRecord* record, uint32_t frame, uint32_t lock_index);
// Takes entry `at` out of the list of a frame that was not interrupted.
void RemoveHeld(ThreadRecord* record, uint32_t frame, uint32_t at);
// Slow halves of a wait: details that only a thread which is about to block can afford.
// Counts that the lock was found taken.
void NoteContended(ThreadRecord* record, LockCacheEntry* cached);
void BeginContended(ThreadRecord* record, Frame& frame, PackedRef ref, const void* lock,
                    uint64_t site, uint32_t stack);
void EndContended(ThreadRecord* record, Frame& frame, PackedRef ref, bool acquired);

// What a slow-path function needs of a scope, whichever frame it works in.
struct Place {
  ThreadRecord* record;
  uint32_t frame_index;
  uint64_t cfa;
  template <class WhichFrame>
  Place(const Scope<WhichFrame>& scope)  // NOLINT: a view of the same thing
      : record(scope.record()), frame_index(scope.frame_index()), cfa(scope.cfa()) {}
};

// The relock of a lock that the thread held already: one entry stands for all levels.
void HoldAgain(const Place& place, PackedRef ref, uint64_t site, uint32_t stack);

// Read-write locks, semaphores, what is recursive or folded: the held list must be searched.
LOCKWARDEN_INLINE bool MayBeHeldTwice(uint32_t kind_and_flags) {
  constexpr auto bit = [](LockKind kind) { return 1u << static_cast<uint32_t>(kind); };
  constexpr uint32_t kOnce = bit(LockKind::kMutex) | bit(LockKind::kLock) | bit(LockKind::kSpin);
  return (kind_and_flags & (kRecursive | kFolded)) != 0 ||
         (kOnce >> (kind_and_flags & 31) & 1) == 0;
}

// How far the short ways look (known_acquire.h, known_lock.h). At once: no further than takes a
// call, or a loop over what is held, so that no registers must be saved first.
enum class Look { kAtOnce, kFurther };

// Around one acquire: identify, order, publish the wait; then Finish. `Object` says what is
// acquired, all of it known to the compiler:
//   static uint32_t Describe(const void*)     kind and flags, when the lock is first met
//   static constexpr Mode mode
//   static bool LooksTaken(const void*)       a hint: may be wrong either way
// mode_bits: kTimed, kTry or neither.
template <class Object, class WhichFrame>
class Acquisition {
 public:
  LOCKWARDEN_INLINE Acquisition(const Scope<WhichFrame>& scope, const void* lock,
                                uint8_t mode_bits, uint64_t site)
      : scope_(scope), site_(site), mode_bits_(mode_bits) {
    const LockUse use = IdentifyLock(scope.record(), lock, Object::Describe, site, scope.cfa());
    cached_ = use.cached;
    if (__builtin_expect(use.ref == 0, 0)) return;
    ref_ = use.ref | static_cast<uint8_t>(Object::mode) | mode_bits;
    if (__builtin_expect(MayBeHeldTwice(use.kind_and_flags), 0)) {
      again_ = FindHeld(scope.record(), IndexOf(ref_)) != nullptr;
      if ((use.kind_and_flags & kFolded) != 0) {
        WaitForFolded(lock);
        return;
      }
    }
    stack_ = CaptureIfWanted(scope.record(), site, scope.cfa());
    if (stack_ != 0) NoteUse(scope.record(), ref_, KindOf(use.kind_and_flags), site, stack_);
    if ((mode_bits_ & kTry) != 0) return;  // cannot block: neither order nor wait
    if (__builtin_expect(!again_, 1)) {
      RecordOrder(scope.record(), scope.frame_index(), ref_, site, scope.cfa());
    } else if ((use.kind_and_flags & kRecursive) != 0) {
      return;  // held already: never waited for
    }
    if (__builtin_expect(Object::LooksTaken(lock), 0)) {
      NoteContended(scope.record(), cached_);
      // Looked at twice: what was held for a moment needs no details, nor any clock read while
      // others wait for it in turn.
      contended_ = Object::LooksTaken(lock);
      if (contended_) {
        BeginContended(scope.record(), scope.frame(), ref_, lock, site, stack_);
        return;
      }
    }
    // Relaxed: own field.
    const uint32_t count = scope.frame().held_count.load(std::memory_order_relaxed);
    if (__builtin_expect(count < kHeldCapacity[scope.frame_index()], 1)) {
      WriteHold(scope.record(), scope.frame_index(), count, ref_, site, stack_);
    }
    scope.frame().wait.wait.store(ref_, std::memory_order_release);  // P2
  }

  // `holds` is false for a semaphore that threads hand over: a unit of it is not held.
  LOCKWARDEN_INLINE void Finish(bool acquired, bool holds = true) {
    if (__builtin_expect(ref_ == 0, 0)) return;
    if ((mode_bits_ & kTry) == 0) {
      scope_.frame().wait.wait.store(0, std::memory_order_release);  // P3
      if (__builtin_expect(contended_ || !acquired, 0)) {
        EndContended(scope_.record(), scope_.frame(), ref_, acquired);
      }
    }
    if (__builtin_expect(!acquired, 0)) return;
    if (__builtin_expect(!holds, 0)) return CountWithoutHold(scope_.record());
    CountFor<Object::mode>(cached_);
    if (__builtin_expect(again_, 0)) return HoldAgain(scope_, ref_, site_, stack_);
    PushHeld(scope_.record(), scope_.frame_index(), ref_, site_, stack_);
  }

  PackedRef ref() const { return ref_; }  // 0: the lock table is full

 private:
  // Which lock it is stands in the details only, so they are written in any case; and in no
  // order, which would be that of many locks.
  __attribute__((noinline, cold)) void WaitForFolded(const void* lock) {
    stack_ = CaptureIfWanted(scope_.record(), site_, scope_.cfa());
    if ((mode_bits_ & kTry) != 0) return;
    contended_ = true;
    BeginContended(scope_.record(), scope_.frame(), ref_, lock, site_, stack_);
  }

  Scope<WhichFrame> scope_;
  uint64_t site_;
  uint32_t stack_ = 0;
  PackedRef ref_ = 0;
  LockCacheEntry* cached_ = nullptr;
  uint8_t mode_bits_;
  bool again_ = false;  // this thread held the same lock when it asked for it
  bool contended_ = false;
};

// A wait for something that is not acquired: a condition, a thread's end, a barrier.
// `ref` names it, with mode and kTimed; peer as in WaitSlot.
void BeginWait(const Place& place, PackedRef ref, const void* object, uint64_t peer,
               uint64_t site);
void EndWait(ThreadRecord* record, Frame& frame, bool acquired);
class PlainWait {
 public:
  PlainWait(const Place& place, PackedRef ref, const void* object, uint64_t peer, uint64_t site)
      : record_(place.record), frame_(place.record->FrameAt(place.frame_index)) {
    BeginWait(place, ref, object, peer, site);
  }
  ~PlainWait() { EndWait(record_, frame_, /*acquired=*/false); }
  PlainWait(const PlainWait&) = delete;
  PlainWait& operator=(const PlainWait&) = delete;

 private:
  ThreadRecord* record_;
  Frame& frame_;
};

// About to release: pop first, so that the list never claims what is not held. Returns what
// was popped, or 0 if the thread was not known to hold it.
PackedRef RecordReleaseSlow(const Place& place, const void* lock);
template <class WhichFrame>
LOCKWARDEN_INLINE PackedRef RecordRelease(const Scope<WhichFrame>& scope, const void* lock) {
  // Relaxed, all: own record; a lock record's address is written once.
  std::atomic<uint32_t>& held_count = scope.frame().held_count;
  const uint32_t count = held_count.load(std::memory_order_relaxed);
  if (__builtin_expect(count != 0, 1)) {
    const HeldEntry& top = scope.record()->held[kHeldBegin[scope.frame_index()] + count - 1];
    const PackedRef ref = top.lock.load(std::memory_order_relaxed);      // own record
    const uint32_t depth = top.depth.load(std::memory_order_relaxed);  // own record
    if (__builtin_expect(this_thread.locks[IndexOf(ref)].address.load(std::memory_order_relaxed) ==
                                 reinterpret_cast<uint64_t>(lock) && depth == 0, 1)) {
      held_count.store(count - 1, std::memory_order_release);  // P7
      return ref;
    }
  }
  return RecordReleaseSlow(scope, lock);
}

// Released by a thread that was not seen to hold it: from now on its holders prove nothing.
void NoteHandOver(const void* lock);
// The newest hold of this kind, for whoever knows no more of it than that.
void ReleaseNewest(const Place& place, LockKind kind);

// In one instruction, so that a handler on this thread comes before it or after it.
LOCKWARDEN_INLINE void DecrementOwn(std::atomic<uint32_t>& own) {
#ifdef __x86_64__
  // A store of this machine releases; without the bus lock, since only this thread writes.
  __asm__ volatile("subl $1, %0" : "+m"(reinterpret_cast<uint32_t&>(own)) : : "memory", "cc");
#else
  own.fetch_sub(1, std::memory_order_release);  // P7
#endif
}

// Pops the lock if it is this thread's newest hold, held once, and no hook is in progress
// (CanRecordAtOnce). That needs no frame: a handler that comes between has put back what it
// took, or has taken out an older hold (it posts a semaphore), which moves this one down.
// With a mode: only if it is held so.
template <Mode kMode = Mode::kNone>
LOCKWARDEN_INLINE bool ReleaseTop(const void* lock) {
  ThreadRecord* const record = this_thread.record;
  // Relaxed, all: own record; a lock record's address is written once.
  const uint32_t count = record->frame0.held_count.load(std::memory_order_relaxed);
  if (__builtin_expect(count == 0, 0)) return false;
  const HeldEntry& top = record->held[count - 1];
  const PackedRef ref = top.lock.load(std::memory_order_relaxed);      // own record
  const uint32_t depth = top.depth.load(std::memory_order_relaxed);  // own record
  if (__builtin_expect(this_thread.locks[IndexOf(ref)].address.load(std::memory_order_relaxed) !=
                               reinterpret_cast<uint64_t>(lock) || depth != 0, 0)) {
    return false;
  }
  if (kMode != Mode::kNone && __builtin_expect(ModeOf(ref) != kMode, 0)) return false;
  if constexpr (kMode == Mode::kUnit) {
    // A handler may have posted this very unit meanwhile: then it is not ours to pop.
    uint32_t seen = count;
    return record->frame0.held_count.compare_exchange_strong(
        seen, count - 1, std::memory_order_release, std::memory_order_relaxed);  // P7
  }
  DecrementOwn(record->frame0.held_count);  // P7
  return true;
}

// After a condition wait: the mutex is held again, as PopHeld returned it. An entry for it
// is still there if the thread holds it recursively.
void RestoreHeld(const Place& place, PackedRef held, uint64_t site);

}  // namespace lockwarden::ledger
