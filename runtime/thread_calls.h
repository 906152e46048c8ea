// Creating threads and waiting for their end, as it is recorded, whichever interface the call
// came through: the hooks of libc's functions, or lockwarden::Thread.
//
// Written by: the calling thread, into its own record and into the new one's before it runs.
// Must never: do what a hook may not do.
#pragma once

#include "runtime/recorder.h"
#include "runtime/start_info.h"
#include "runtime/thread_life.h"
#include "runtime/thread_slots.h"

namespace lockwarden::ledger {

// call() returns 0 if the thread was joined. `created`: as CreateThread gave it, or 0. (A thread that
// has not run yet is known by that only.)
template <class Call>
LOCKWARDEN_INLINE int Join(uint64_t pthread, uint8_t mode_bits, uint64_t cfa, uint64_t site,
                           Call call, PackedRef created = 0) {
  return InScope(cfa, call, [=](const auto& scope) {
    uint32_t slot = created != 0 ? IndexOf(created) : FindThreadSlot(pthread);
    uint32_t serial = slot == kNoIndex ? 0 : ThreadSerial(slot);
    if (created != 0 && (serial & kGenerationMask) != GenerationOf(created)) {
      slot = kNoIndex;  // its record is another thread's by now: it is found by its descriptor
      serial = 0;
    }
    const uint8_t mode = static_cast<uint8_t>(static_cast<uint8_t>(Mode::kJoin) | mode_bits);
    if (TheSettings().order) {
      RecordJoinOrder(scope.record(), scope.frame_index(), serial, pthread, mode_bits, site,
                      scope.cfa());
    }
    int rc;
    {
      PlainWait wait(scope, Pack(slot, serial, mode), nullptr, pthread, site);
      rc = call();
    }
    if (rc != 0) return rc;
    if (mode_bits == 0) NoteThreadJoined(TheLedger(), serial, pthread, scope.record());
    ThreadWasJoined(slot, serial, pthread);
    return rc;
  });
}

// create(routine, argument) makes the thread and returns 0, or an error. `created` may be null:
// which thread it became, as a join names it; 0: it is not known.
template <class Create>
LOCKWARDEN_INLINE int CreateThread(void* (*routine)(void*), void* argument, uint64_t stack_size,
                                   uint64_t cfa, PackedRef* created, Create create) {
  const auto plain = [=] { return create(routine, argument); };
  return InScope(cfa, plain, [=](const auto&) {
    StartInfo* info = PrepareThreadStart(routine, argument, stack_size);
    if (info == nullptr) return plain();
    const PackedRef fresh =
        Pack(info->slot, ThreadSerial(info->slot), static_cast<uint8_t>(Mode::kJoin));
    const int rc = create(RunStartedThread, info);
    if (rc != 0) AbandonThreadStart(info);
    if (rc == 0 && created != nullptr) *created = fresh;
    return rc;
  });
}

}  // namespace lockwarden::ledger
