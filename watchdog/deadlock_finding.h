// From a deadlock in a model to a finding that a person can act on.
// Pure but for resolving stacks. Must never: leave out a thread without saying how many.
#pragma once

#include <vector>

#include "watchdog/deadlock_detector.h"
#include "watchdog/finding_parts.h"
#include "watchdog/joint_model.h"

namespace lockwarden {

Finding DeadlockFinding(const FindingParts& parts, const Detection& detection,
                        const Deadlock& deadlock, uint64_t now_ns);

// Whose threads the nodes of a joint model are. The finding is that of the process of the
// first thread in the core; threads and locks of the others say so.
struct JointCast {
  std::vector<uint32_t> process;  // of each node
  std::vector<const FindingParts*> parts;  // of each process
  std::vector<int> pids;
  const absl::flat_hash_map<JointKey, SharedLockName>* names = nullptr;
};
Finding JointDeadlockFinding(const JointCast& cast, const WaitModel& model,
                             const Deadlock& deadlock, uint64_t now_ns);

}  // namespace lockwarden
