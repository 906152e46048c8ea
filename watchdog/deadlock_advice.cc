// See deadlock_advice.h.
#include "watchdog/deadlock_advice.h"

#include <algorithm>

namespace lockwarden {

using ledger::Mode;

std::vector<std::string> DeadlockAdvice(const WaitModel& model, const Deadlock& deadlock,
                                        bool self) {
  if (deadlock.shape == Deadlock::Shape::kOwnerGone) {
    return {"Release the lock on every way out of a thread (a guard object does), or make it "
            "robust (PTHREAD_MUTEX_ROBUST)."};
  }
  if (deadlock.shape == Deadlock::Shape::kNobodyLeft) {
    return {"Look for the signal, post or arrival that was sent too early, or never: test the "
            "condition under its mutex before waiting, and count the participants."};
  }
  std::vector<std::string> advice;
  bool join = false, promise = false, shared = false, unit = false, condition = false;
  bool helped = false;
  for (uint32_t i : deadlock.core) {
    const ModelNode& node = model.nodes[i];
    helped |= ByHelpers(node);
    join |= node.mode == Mode::kJoin;
    promise |= node.lock.kind == ledger::LockKind::kFuture;
    unit |= node.mode == Mode::kUnit;
    condition |= node.on_condition_mutex;
    shared |= std::any_of(node.holders.begin(), node.holders.end(), [](const Holder& holder) {
      return holder.hold != nullptr && holder.hold->mode == Mode::kShared;
    }) || node.behind_writer;
  }
  if (join) {
    advice.push_back("Release what the joined thread may need before joining it.");
  }
  if (promise) {
    advice.push_back("Release what the promising thread may need before waiting for its future.");
  }
  if (helped) {
    advice.push_back(
        "Whoever is to put in, take out, come or set must get there without what the "
        "waiting threads hold, or are to do first: release it before the wait, give "
        "a queue more room or its pushes a time limit, close() it on every way out.");
  }
  if (shared) {
    advice.push_back("A reader must not ask for the same lock again, to read or to write, while "
                     "it holds it: release it first, or take it to write from the start.");
  }
  if (condition) {
    advice.push_back("Do not wait on a condition while holding another lock that the thread "
                     "which signals may need.");
  }
  if (self && !shared) {
    advice.push_back("Release it before calling what locks it again, or use a recursive lock "
                     "(lockwarden::RLock, PTHREAD_MUTEX_RECURSIVE) if the nesting is meant.");
  }
  if (!self && !join && !promise && !shared && !helped) {
    advice.push_back(
        unit ? "Take these semaphores in the same order everywhere."
             : "Take these locks in the same order everywhere, or all at once: std::scoped_lock, "
               "lockwarden::acquire(a, b).");
  }
  return advice;
}

}  // namespace lockwarden
