// The way of every instrumented lock to the recorder, or, where there is none, past it.
//
// Called by: the types' members, which pass their caller's site and stack: LOCKWARDEN_SITE
// and LOCKWARDEN_CFA. Must never: be included by a public header.
#pragma once

#include <system_error>

#include "lockwarden/deadline.h"
#include "lockwarden/lock.h"
#include "runtime/known_lock.h"
#include "runtime/recorder.h"
#include "runtime/the_recorder.h"

namespace lockwarden {
inline namespace v1 {
namespace internal {

using ledger::How;
using ledger::LockAnswer;
using ledger::LockKind;
using ledger::Mode;

[[noreturn]] inline void Throw(std::errc code, const char* what) {
  throw std::system_error(std::make_error_code(code), what);
}

// The same, of an object that may have a name.
[[noreturn]] __attribute__((cold)) void Refuse(std::errc code, const char* type, const char* name,
                                               const char* what);

inline ledger::TimeLimit LimitOf(Deadline deadline) {
  constexpr int64_t kSecond = 1'000'000'000;
  return {deadline.ns / kSecond, deadline.ns % kSecond, deadline.realtime ? 1u : 0u};
}

// The lock alone. `Format`: see OwnLock.
template <class Format>
inline LockAnswer AcquireAlone(void* lock, uint8_t bits, const ledger::TimeLimit* limit) {
  const ledger::Self self = ledger::ThisSelf();
  // What was free was nobody's; a reader's place may be free to who has the seat.
  if (Format::mode != Mode::kShared && Format::Try(lock, self)) return LockAnswer::kDone;
  if (Format::HeldBy(lock, self)) return LockAnswer::kOwned;
  const bool taken =
      (bits & ledger::kTry) != 0 ? Format::Try(lock, self) : Format::Take(lock, self, limit);
  return taken ? LockAnswer::kDone : LockAnswer::kBusy;
}
template <class Format>
__attribute__((noinline)) LockAnswer AcquireUnrecorded(void* lock, uint8_t bits,
                                                       const ledger::TimeLimit* limit) {
  return AcquireAlone<Format>(lock, bits, limit);
}

// Every acquire comes through here that is not a KnownLock's.
template <class Format>
LOCKWARDEN_INLINE LockAnswer Acquire(void* lock, LockKind kind, uint8_t bits, uint64_t site,
                                     uint64_t cfa, const char* name,
                                     const ledger::TimeLimit* limit = nullptr) {
  if constexpr (!ledger::kInstrumented) return AcquireAlone<Format>(lock, bits, limit);
  const LockAnswer answer = ledger::TheRecorder()->acquire(lock, How(kind, Format::mode, bits),
                                                           site, cfa, name, limit);
  if (__builtin_expect(answer == LockAnswer::kNotRecorded, 0)) {
    return AcquireUnrecorded<Format>(lock, bits, limit);
  }
  if (!ledger::CanRecordNow(*ledger::linked_thread)) ledger::LearnThread();
  return answer;
}

// With a deadline, which may be never.
template <class Format>
LockAnswer AcquireUntil(void* lock, LockKind kind, Deadline deadline, uint64_t site, uint64_t cfa,
                        const char* name) {
  if (deadline.ns == Deadline::kNever) return Acquire<Format>(lock, kind, 0, site, cfa, name);
  const ledger::TimeLimit limit = LimitOf(deadline);
  return Acquire<Format>(lock, kind, ledger::kTimed, site, cfa, name, &limit);
}

// `extra`: kKeepsLock or 0.
template <class Format>
LOCKWARDEN_INLINE LockAnswer Release(void* lock, LockKind kind, uint32_t extra, uint64_t cfa) {
  if constexpr (ledger::kInstrumented) {
    const LockAnswer answer =
        ledger::TheRecorder()->release(lock, How(kind, Format::mode) | extra, cfa);
    if (__builtin_expect(answer != LockAnswer::kNotRecorded, 1)) return answer;
  }
  if (!Format::MayRelease(lock, ledger::ThisSelf())) return LockAnswer::kNotOwned;
  if (extra == 0) Format::Release(lock);
  return LockAnswer::kDone;
}

// The calling thread ends waits for an object; `heard`: somebody waits for that signal. Whether
// that has been written down, or need not be: once for each thread that takes turns with others.
inline constexpr uint32_t kHeard = 0x80000000u;  // in NotedHelper
LOCKWARDEN_INLINE bool IsNoted(const NotedHelper& noted, bool heard) {
  if constexpr (!ledger::kInstrumented) return true;
  // Relaxed, both words: a hint; NoteHelp asks again. The mark: as in ThisSelf.
  const uint32_t seen = noted.word.load(std::memory_order_relaxed);
  const uint32_t tid = ledger::this_tid;
  return (seen == (tid | kHeard) || (seen == tid && !heard)) && tid != 0 &&
         ledger::fork_mark
                 .load(std::memory_order_acquire)         // M2
                 ->load(std::memory_order_relaxed) != 0;  // as above
}
__attribute__((noinline, cold)) inline void NoteHelp(NotedHelper* noted, const void* object,
                                                     LockKind kind, const char* name, bool heard,
                                                     uint64_t site, uint64_t cfa) {
  const uint32_t tid = ledger::ThisSelf().tid;
  if (!ledger::TheRecorder()->note_help(object, kind, name, heard, site, cfa)) return;
  const bool for_good = heard || kind != LockKind::kCondition;
  noted->word.store(tid | (for_good ? kHeard : 0), std::memory_order_relaxed);  // as above
}

// Every sleep of the types that are not locks comes through here. False: the time is up.
inline bool Sleep(ledger::WaitRequest request, LockKind kind, Mode mode, Deadline deadline) {
  const ledger::TimeLimit limit = LimitOf(deadline);
  if (deadline.ns != Deadline::kNever) request.limit = &limit;
  request.how = How(kind, mode, request.limit == nullptr ? 0 : ledger::kTimed);
  const LockAnswer answer = ledger::TheRecorder()->wait(&request);
  if (answer != LockAnswer::kNotRecorded) return answer == LockAnswer::kDone;
  return ledger::FutexWait(request.word, request.expected, request.limit);
}

}  // namespace internal
}  // namespace v1
}  // namespace lockwarden
