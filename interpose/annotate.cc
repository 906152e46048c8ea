// The annotations of annotate.h, as a program that is only preloaded finds them.
#include "interpose/real.h"
#include "runtime/heartbeat.h"
#include "runtime/recorder.h"
#include "runtime/user_lock.h"

using namespace lockwarden;

LOCKWARDEN_HOOK void lockwarden_user_about_to_wait(const void* lock) {
  ledger::UserAboutToWait(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
LOCKWARDEN_HOOK void lockwarden_user_acquired(const void* lock) {
  ledger::UserAcquired(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
LOCKWARDEN_HOOK void lockwarden_user_released(const void* lock) {
  ledger::UserReleased(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
LOCKWARDEN_HOOK void lockwarden_user_named(const void* lock, const char* name) {
  ledger::UserNamed(lock, name, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}
LOCKWARDEN_HOOK void lockwarden_user_destroyed(const void* lock) {
  ledger::UserDestroyed(lock, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
}

LOCKWARDEN_HOOK void lockwarden_user_beat(ledger::HeartbeatHandle* heartbeat) {
  lockwarden_heartbeat_v1()->beat(heartbeat, LOCKWARDEN_CFA);
}
LOCKWARDEN_HOOK void lockwarden_user_pause(ledger::HeartbeatHandle* heartbeat, int until_beat) {
  lockwarden_heartbeat_v1()->pause(heartbeat, until_beat != 0, LOCKWARDEN_CFA);
}
LOCKWARDEN_HOOK void lockwarden_user_resume(ledger::HeartbeatHandle* heartbeat) {
  lockwarden_heartbeat_v1()->resume(heartbeat, LOCKWARDEN_CFA);
}
LOCKWARDEN_HOOK unsigned long long lockwarden_user_deadline(ledger::HeartbeatHandle* heartbeat,
                                                            unsigned long long deadline_ns) {
  return lockwarden_heartbeat_v1()->set_deadline(heartbeat, deadline_ns, LOCKWARDEN_CFA);
}
LOCKWARDEN_HOOK void lockwarden_user_stop(ledger::HeartbeatHandle* heartbeat) {
  lockwarden_heartbeat_v1()->stop(heartbeat);
}
