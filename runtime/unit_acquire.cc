// As the hooks of sem_t do it.
#include "runtime/unit_acquire.h"

#include "runtime/own_acquire.h"
#include "runtime/semaphore_units.h"
#include "runtime/unit_word.h"

namespace lockwarden::ledger {
namespace {

using SemaphoreObject = OwnObject<OwnUnit, LockKind::kSemaphore>;

// More than a held list can hold would only be counted as handed over.
constexpr uint32_t kUnitsNoted = 256;

template <class WhichFrame>
LockAnswer AcquireIn(const Scope<WhichFrame>& scope, void* semaphore, uint8_t bits, uint64_t site,
                     const char* name, const TimeLimit* limit) {
  const Self self = SelfOf(scope.record());
  Acquisition<SemaphoreObject, WhichFrame> acquisition(scope, semaphore, bits, site);
  if (name != nullptr && OwnUnit::LooksTaken(semaphore)) NameOnce(semaphore, name);
  const bool taken = (bits & kTry) != 0 ? OwnUnit::Try(semaphore, self)
                                        : OwnUnit::Take(semaphore, self, limit);
  acquisition.Finish(taken, taken && HoldsUnits(scope, acquisition.ref()));
  return taken ? LockAnswer::kDone : LockAnswer::kBusy;
}

}  // namespace

LockAnswer AcquireUnit(void* semaphore, uint32_t how, uint64_t site, uint64_t cfa,
                       const char* name, const TimeLimit* limit) {
  const auto plain = [] { return LockAnswer::kNotRecorded; };
  const uint8_t bits = BitsOfHow(how);
  return InScope(cfa, plain, [=](const auto& scope) {
    return AcquireIn(scope, semaphore, bits, site, name, limit);
  });
}

void NoteUnits(const void* semaphore, uint32_t units, uint64_t site, uint64_t cfa) {
  InScope(cfa, [] { return 0; }, [=](const auto& scope) {
    for (uint32_t i = 0; i < units && i < kUnitsNoted; ++i) {
      ReleaseUnit(scope, semaphore, SemaphoreObject::Describe, site);
    }
    return 0;
  });
}

}  // namespace lockwarden::ledger
