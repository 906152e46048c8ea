// Takes a lock of a lower rank than the one that the host holds: refused, if both are known to
// one recorder.
#include <lockwarden/lockwarden.h>

extern "C" __attribute__((visibility("default"))) int PluginIsRefused() {
  static lockwarden::LockClass low("low", {.rank = 1});
  low.set_policy(lockwarden::OrderPolicy::kThrow);
  static lockwarden::Lock lock(low);
  try {
    lock.lock();
  } catch (const lockwarden::LockOrderViolation&) {
    return 1;
  }
  lock.unlock();
  return 0;
}
