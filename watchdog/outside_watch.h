// OutsideWatch: threads that wait for a lock which a process has that is not supervised. That
// is no finding, since the holder may run and release it; but if such a wait lasts until the
// waiting process ends, a line says what it waited for, and whose it was.
//
// Written and read by: the joint detector, in the supervisor's loop. Must never: name a process
// that is supervised, or that does not have the lock's memory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "watchdog/joint_model.h"

namespace lockwarden {

class OutsideWatch {
 public:
  // What a model says of locks with an owner, and one built from witnesses of file locks.
  void NoteOwners(const std::vector<JudgedProcess>& processes, const JointModel& joint,
                  uint64_t now_ns);
  void NoteFiles(const std::vector<JudgedProcess>& processes, const JointModel& joint,
                 uint64_t now_ns);
  // Nobody waits for anything shared.
  void Clear() { waits_.clear(); }
  // The process has ended, or is watched no longer: a line for each of its threads that has
  // waited for long, and still did.
  std::vector<std::string> Forget(const JudgedProcess& process, uint64_t now_ns);

 private:
  using Where = std::pair<int, uint32_t>;  // pid, slot
  struct Waiting {
    ThreadInfo thread;
    OutsideHolder holder;
    LockKey lock;
    std::string label;  // empty: as the process calls it
    uint64_t first_ns = 0;
  };

  void Replace(bool files, const std::vector<JudgedProcess>& processes, const JointModel& joint,
               uint64_t now_ns);

  std::map<Where, Waiting> waits_;
};

}  // namespace lockwarden
