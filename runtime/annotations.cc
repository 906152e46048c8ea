// The annotations of annotate.h, as a program that links the library finds them: they go to
// the process's one recorder, which may be the preload's.
#include "runtime/order_policy.h"
#include "runtime/recorder.h"

// Strong here, and declared apart from the header, where they are weak.
#define LOCKWARDEN_ANNOTATION extern "C" __attribute__((visibility("default")))

namespace {

const lockwarden::ledger::UserLockApi* Recorder() {
  const lockwarden::ledger::OrderApi* const api = lockwarden::internal::OrderRecorder();
  return api == nullptr ? nullptr : &api->user;
}

}  // namespace

LOCKWARDEN_ANNOTATION void lockwarden_user_about_to_wait(const void* lock) {
  if (Recorder() != nullptr) Recorder()->about_to_wait(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
LOCKWARDEN_ANNOTATION void lockwarden_user_acquired(const void* lock) {
  if (Recorder() != nullptr) Recorder()->acquired(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
LOCKWARDEN_ANNOTATION void lockwarden_user_released(const void* lock) {
  if (Recorder() != nullptr) Recorder()->released(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
LOCKWARDEN_ANNOTATION void lockwarden_user_named(const void* lock, const char* name) {
  if (Recorder() != nullptr) Recorder()->named(lock, name, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
LOCKWARDEN_ANNOTATION void lockwarden_user_destroyed(const void* lock) {
  if (Recorder() != nullptr) Recorder()->destroyed(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
