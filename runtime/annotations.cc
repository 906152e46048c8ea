// The annotations of annotate.h, as a program that links the library finds them: they go to
// the process's one recorder, which may be the preload's.
#include <dlfcn.h>

#include <utility>

#include "runtime/heartbeat.h"
#include "runtime/order_policy.h"
#include "runtime/recorder.h"

// Strong here, and declared apart from the header, where they are weak.
#define LOCKWARDEN_ANNOTATION extern "C" __attribute__((visibility("default")))

using lockwarden::ledger::HeartbeatHandle;

namespace {

const lockwarden::ledger::UserLockApi* Recorder() {
  const lockwarden::ledger::OrderApi* const api = lockwarden::internal::OrderRecorder();
  return api == nullptr ? nullptr : &api->user;
}

const lockwarden::ledger::HeartbeatApi* Heartbeats() {
  using lockwarden::ledger::HeartbeatApi;
  static const HeartbeatApi* const api = [] {
    using Function = const HeartbeatApi* (*)();
    const auto found = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, "lockwarden_heartbeat_v1"));
    const HeartbeatApi* table = found != nullptr ? found() : lockwarden_heartbeat_v1();
    return table->version == HeartbeatApi::kVersion ? table : nullptr;
  }();
  return api;
}

// Before anybody needs it: dlsym takes the loader's lock.
__attribute__((constructor(101))) void LookForTheRecorder() { Heartbeats(); }

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

LOCKWARDEN_ANNOTATION void lockwarden_user_beat(HeartbeatHandle* heartbeat) {
  if (Heartbeats() != nullptr) Heartbeats()->beat(heartbeat, LOCKWARDEN_CFA);
}
LOCKWARDEN_ANNOTATION void lockwarden_user_pause(HeartbeatHandle* heartbeat, int until_beat) {
  if (Heartbeats() != nullptr) Heartbeats()->pause(heartbeat, until_beat != 0, LOCKWARDEN_CFA);
}
LOCKWARDEN_ANNOTATION void lockwarden_user_resume(HeartbeatHandle* heartbeat) {
  if (Heartbeats() != nullptr) Heartbeats()->resume(heartbeat, LOCKWARDEN_CFA);
}
LOCKWARDEN_ANNOTATION unsigned long long lockwarden_user_deadline(HeartbeatHandle* heartbeat,
                                                                  unsigned long long deadline_ns) {
  if (Heartbeats() == nullptr) return std::exchange(heartbeat->deadline_ns, deadline_ns);
  return Heartbeats()->set_deadline(heartbeat, deadline_ns, LOCKWARDEN_CFA);
}
LOCKWARDEN_ANNOTATION void lockwarden_user_stop(HeartbeatHandle* heartbeat) {
  if (Heartbeats() != nullptr) Heartbeats()->stop(heartbeat);
}
