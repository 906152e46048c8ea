// Semaphore's members: each one step of unit_word.h, recorded or not.
#include "lockwarden/semaphore.h"

#include "runtime/order_policy.h"
#include "runtime/own_type.h"
#include "runtime/unit_word.h"

namespace lockwarden {
inline namespace v1 {

using internal::LockAnswer;
using internal::LockKind;
using ledger::OwnUnit;

Semaphore::~Semaphore() { ledger::TheRecorder()->end_life(&word_, LOCKWARDEN_CFA); }

void Semaphore::acquire() {
  internal::Acquire<OwnUnit>(&word_, LockKind::kSemaphore, 0, LOCKWARDEN_SITE, LOCKWARDEN_CFA,
                             name_);
}

bool Semaphore::try_acquire() {
  return internal::Acquire<OwnUnit>(&word_, LockKind::kSemaphore, ledger::kTry, LOCKWARDEN_SITE,
                                    LOCKWARDEN_CFA, name_) == LockAnswer::kDone;
}

bool Semaphore::TryAcquire(internal::Deadline deadline) {
  return internal::AcquireUntil<OwnUnit>(&word_, LockKind::kSemaphore, deadline, LOCKWARDEN_SITE,
                                         LOCKWARDEN_CFA, name_) == LockAnswer::kDone;
}

void Semaphore::release(uint32_t units) {
  const uint32_t bound = bound_;
  if (units <= bound && value() <= bound - units) {
    // Before it is given: the record must not claim what another thread may have.
    ledger::TheRecorder()->note_units(&word_, units, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
    if (ledger::GiveUnits(&word_, units, bound)) return;
  }
  internal::NoteMisuse(ledger::MisuseKind::kOverrun,
                       {&word_, &id_, name_, static_cast<uint8_t>(LockKind::kSemaphore)},
                       LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  internal::Refuse(std::errc::value_too_large, "Semaphore", name_,
                   "given more units than it may have");
}

}  // namespace v1
}  // namespace lockwarden
