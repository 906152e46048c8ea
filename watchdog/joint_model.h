// JointModel: one wait-for model over several processes, for what they share: mutexes,
// read-write locks and semaphores in shared memory, and file locks.
//
// Each process's own model (wait_model.h) is taken as it is, and the waits for shared
// objects, which count as "can run" there, are resolved over all of them:
//   mutex, read-write lock   as in wait_model.h, the holders being those of every process;
//                            the lock word must name them. A word that names nobody known
//                            is held outside: it can run. Unless it names a thread that no
//                            process has any more, and a process that ended had it.
//   semaphore                the inferred holders of every process
//   file lock                for each conflicting lock, any thread of any process that could
//                            release it (file_locks.h); one that is not here can run
// Like a process's model it is built twice: from the ledgers it errs towards "stuck", from
// the witnesses towards "can run".
//
// Thread safety: none. Points into the snapshots.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "watchdog/file_locks.h"
#include "watchdog/judge.h"
#include "watchdog/wait_model.h"

namespace lockwarden {

inline constexpr uint32_t kNoProcess = 0xffffffffu;

// A lock by process (index) and key.
using JointKey = std::pair<uint32_t, LockKey>;

// What a lock is called in all processes.
struct SharedLockName {
  std::string identity;  // equal: the same lock
  std::string label;     // for sentences; empty: as the process calls it
  std::map<int, std::set<uint64_t>> descriptors;  // file locks: by pid, of those who hold it
};

// A wait for what a process has that is not supervised together with these.
struct OutsideHolder {
  std::set<int> pids;            // of a file lock: any of them may release it
  uint32_t owner_tid = 0;        // of a lock with an owner: as its word says, not asked further
  std::optional<SharedId> lock;  // with owner_tid
};

struct JointModel {
  WaitModel model;
  absl::flat_hash_map<uint32_t, OutsideHolder> outside;  // by node; these can run
  std::vector<uint32_t> process;  // of each node; kNoProcess: nobody's thread
  absl::flat_hash_map<JointKey, SharedLockName> names;
  bool complete = true;    // false: some processes' descriptors could not be looked into
  bool breakable = false;  // a process that waits for a file handles signals, which end waits
};

struct JointInput {
  const std::vector<JudgedProcess>* processes = nullptr;
  FileLockView* files = nullptr;
  std::vector<absl::flat_hash_set<uint32_t>> known;  // by process: slots told already
  const absl::flat_hash_set<uint32_t>* ended = nullptr;  // tids that ended holding shared locks
};

// Which semaphores lie in shared memory, by pid: their own word says so, once for a life.
using SharedSemaphores = absl::flat_hash_map<std::pair<int, LockKey>, bool>;

// This thread waits for something that threads of other processes may be able to give.
// Errs towards yes.
bool WaitsForShared(const JudgedProcess& process, const ThreadInfo& thread,
                    SharedSemaphores* semaphores);

JointModel JointFromLedgers(const JointInput& input);
// `suspects` by process.
JointModel JointFromWitnesses(const JointInput& input, const std::vector<Suspects>& suspects);

}  // namespace lockwarden
