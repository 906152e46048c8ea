// The object is described and named before the sleep; after it, it may be gone.
#include "runtime/own_wait.h"

#include "runtime/condition_signals.h"
#include "runtime/helpers.h"
#include "runtime/misuse.h"
#include "runtime/own_acquire.h"

namespace lockwarden::ledger {
namespace {

template <LockKind kKind>
uint32_t DescribeAs(const void*) {
  return static_cast<uint32_t>(kKind);
}

DescribeLock DescriptionOf(LockKind kind) {
  switch (kind) {
    case LockKind::kCondition: return DescribeAs<LockKind::kCondition>;
    case LockKind::kBarrier: return DescribeAs<LockKind::kBarrier>;
    case LockKind::kEvent: return DescribeAs<LockKind::kEvent>;
    case LockKind::kQueue: return DescribeAs<LockKind::kQueue>;
    default: return DescribeAs<LockKind::kFuture>;
  }
}

bool Sleep(const WaitRequest& request) {
  return FutexWait(request.word, request.expected, request.limit);
}

}  // namespace

LockAnswer WaitOwn(const WaitRequest* request) {
  const auto plain = [] { return LockAnswer::kNotRecorded; };
  return InScope(request->cfa, plain, [=](const auto& scope) {
    const WaitRequest& r = *request;
    const LockUse use = IdentifyLock(scope.record(), r.object, DescriptionOf(KindOfHow(r.how)),
                                     r.site, scope.cfa());
    if (use.ref == 0) return Sleep(r) ? LockAnswer::kDone : LockAnswer::kBusy;
    if (r.name != nullptr) NameOnce(r.object, r.name);
    const PackedRef lock = r.lock == nullptr ? 0 : FindLock(r.lock);
    const PackedRef peer =
        lock == 0 ? r.peer : WithMode(lock, static_cast<uint8_t>(Mode::kExclusive));
    const bool arrives = ModeOfHow(r.how) == Mode::kArrive && r.peer != 0;
    if (arrives && (use.kind_and_flags & kFolded) == 0) NoteHelper(scope.record(), use.ref);
    const PlainWait wait(scope, use.ref | (r.how >> 8 & 0xff), r.object, peer, r.site);
    if (KindOfHow(r.how) == LockKind::kCondition && ModeOfHow(r.how) == Mode::kSignal) {
      NoteConditionMutex(scope, use.ref, lock, r.site);
    }
    return Sleep(r) ? LockAnswer::kDone : LockAnswer::kBusy;
  });
}

bool NoteHelpOwn(const void* object, LockKind kind, const char* name, bool heard, uint64_t site,
                 uint64_t cfa) {
  const auto plain = [] { return false; };
  return InScope(cfa, plain, [=](const auto& scope) {
    if (kind != LockKind::kCondition) {
      return NoteHelp(scope, object, DescriptionOf(kind), name, site);
    }
    NoteSignal(scope, object, DescriptionOf(kind), heard, site);
    if (name != nullptr) NameOnce(object, name);
    return true;
  });
}

}  // namespace lockwarden::ledger
