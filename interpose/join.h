// Waiting for the end of a thread, whichever interface the call came through.
#pragma once

#include "runtime/recorder.h"
#include "runtime/start_info.h"
#include "runtime/thread_slots.h"

namespace lockwarden::interpose {

// call() returns 0 if the thread was joined.
template <class Call>
LOCKWARDEN_INLINE int Join(pthread_t thread, uint8_t mode_bits, uint64_t cfa, uint64_t site,
                           Call call) {
  return ledger::InScope(cfa, call, [=](const auto& scope) {
    const uint32_t slot = ledger::FindThreadSlot(static_cast<uint64_t>(thread));
    const uint32_t serial = slot == ledger::kNoIndex ? 0 : ledger::ThreadSerial(slot);
    const uint8_t mode =
        static_cast<uint8_t>(static_cast<uint8_t>(ledger::Mode::kJoin) | mode_bits);
    int rc;
    {
      ledger::PlainWait wait(scope, ledger::Pack(slot, serial, mode), nullptr,
                             static_cast<uint64_t>(thread), site);
      rc = call();
    }
    if (rc == 0) ledger::ThreadWasJoined(slot, serial, static_cast<uint64_t>(thread));
    return rc;
  });
}

}  // namespace lockwarden::interpose
