// See user_lock.h. The open frame is marked by a stack pointer that no stack has: it is never
// taken for one that was left by longjmp, whatever the lock's code calls in between.
#include "runtime/user_lock.h"

#include "runtime/process.h"
#include "runtime/recorder.h"

namespace lockwarden::ledger {
namespace {

constexpr uint64_t kWaitsByAnnotation = ~uint64_t{7};  // a multiple of 8: ThisThread::busy

uint32_t DescribeUser(const void*) { return static_cast<uint32_t>(LockKind::kUser); }

template <class Body>
void InHook(uint64_t cfa, Body body) {
  InScope(
      cfa, [] { return 0; }, [&](const auto& scope) { return body(Place(scope)), 0; });
}

bool WaitIsOpen() {
  const ThisThread& self = this_thread;
  return self.epoch == TheGate()->epoch.load(std::memory_order_acquire) &&  // G2
         self.HookSp(0) == kWaitsByAnnotation;
}

// Frames above it belong to calls that the wait has ended under, if there are any.
void CloseWait(bool acquired) {
  ThisThread& self = this_thread;
  if (self.Depth() != 1 || !WaitIsOpen()) return;
  EndWait(self.record, self.record->frame0, acquired);
  self.LeaveFrame(0);
}

LockUse Identify(const Place& place, const void* lock, uint64_t site) {
  return IdentifyLock(place.record, lock, DescribeUser, site, place.cfa);
}

}  // namespace

void UserAboutToWait(const void* lock, uint64_t site, uint64_t cfa) {
  CloseWait(/*acquired=*/false);  // of a wait that was left without a word
  bool published = false;
  InHook(cfa, [&](const Place& place) {
    if (place.frame_index != 0) return;  // in a handler that interrupts a hook
    const LockUse use = Identify(place, lock, site);
    if (use.ref == 0) return;
    const PackedRef wanted = use.ref | static_cast<uint8_t>(Mode::kExclusive);
    RecordOrder(place.record, 0, wanted, site, cfa);
    NoteContended(place.record, use.cached);
    BeginContended(place.record, place.record->frame0, wanted, lock, site,
                   CaptureIfWanted(place.record, site, cfa));
    published = true;
  });
  if (published) this_thread.busy = kWaitsByAnnotation;
}

void UserAcquired(const void* lock, uint64_t site, uint64_t cfa) {
  const bool waited = WaitIsOpen();
  CloseWait(/*acquired=*/true);
  InHook(cfa, [&](const Place& place) {
    const LockUse use = Identify(place, lock, site);
    if (use.ref == 0) return;
    CountFor<Mode::kExclusive>(use.cached);
    // What was taken at once is known from here on only: too late for its order.
    const uint8_t bits = waited ? 0 : uint8_t{kTry};
    HoldAgain(place, use.ref | static_cast<uint8_t>(Mode::kExclusive) | bits, site,
              CaptureIfWanted(place.record, site, cfa));
  });
}

void UserReleased(const void* lock, uint64_t, uint64_t cfa) {
  InHook(cfa, [&](const Place& place) {
    if (RecordReleaseSlow(place, lock) == 0) NoteHandOver(lock);
  });
}

void UserNamed(const void* lock, const char* name, uint64_t site, uint64_t cfa) {
  InHook(cfa, [&](const Place& place) {
    const PackedRef ref = Identify(place, lock, site).ref;
    if (ref == 0 || name == nullptr) return;
    std::atomic<uint32_t>& known = this_thread.locks[IndexOf(ref)].name;
    // Relaxed: a name for people; a reader checks that it ends with a NUL inside the table.
    if (known.load(std::memory_order_relaxed) != 0) return;
    known.store(InternName(TheLedger(), name), std::memory_order_relaxed);  // as above
  });
}

void UserDestroyed(const void* lock, uint64_t, uint64_t cfa) {
  InHook(cfa, [&](const Place&) {
    const PackedRef life = FindLock(lock);
    if (life != 0) EndLockLife(life);
  });
}

}  // namespace lockwarden::ledger
