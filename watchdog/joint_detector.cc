// The stages of joint_detector.h.
#include "watchdog/joint_detector.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "watchdog/deadlock_finding.h"
#include "watchdog/deadlock_grade.h"

namespace lockwarden {
namespace {

constexpr uint64_t kFirstIntervalNs = 100'000'000;
constexpr uint64_t kLongestIntervalNs = 5'000'000'000;
// As of one process: a semaphore that is handed over may take its time.
constexpr uint64_t kPresumeAfterNs = 1'000'000'000;
constexpr size_t kEndedKept = 4096;
constexpr size_t kSemaphoresKept = 65'536;

const JudgedProcess* ProcessOf(const std::vector<JudgedProcess>& processes, int pid) {
  const auto found = std::find_if(processes.begin(), processes.end(),
                                  [&](const JudgedProcess& p) { return p.pid == pid; });
  return found == processes.end() ? nullptr : &*found;
}

bool IsFile(const ModelNode& node) { return node.lock.kind == ledger::LockKind::kFileLock; }

// Nodes that stand for a lock are not part of the story.
bool IsThread(const JointModel& joint, uint32_t i) {
  return joint.process[i] != kNoProcess && joint.model.nodes[i].thread != nullptr;
}

// The detector of node i's own process does not see this wait: it is for a file, or for a lock
// that is held by another process, or under another address. Or `other` is a thread of another
// process.
bool IsBeyondOneProcess(const JointModel& joint, uint32_t i, uint32_t other) {
  const ModelNode& node = joint.model.nodes[i];
  return IsFile(node) || joint.process[i] != joint.process[other] ||
         std::any_of(node.holders.begin(), node.holders.end(), [&](const Holder& holder) {
           return joint.process[holder.node] != joint.process[i] ||
                  (holder.hold != nullptr && !(holder.hold->lock == node.lock.key));
         });
}

void KeepThreads(const JointModel& joint, std::vector<uint32_t>* nodes) {
  std::erase_if(*nodes, [&](uint32_t i) { return !IsThread(joint, i); });
}

// Every stuck node that the core's being stuck rests on.
std::set<uint32_t> RestsOn(const JointModel& joint, const std::vector<bool>& stuck,
                           const std::vector<uint32_t>& core) {
  std::set<uint32_t> seen(core.begin(), core.end());
  std::vector<uint32_t> queue(core.begin(), core.end());
  while (!queue.empty()) {
    const ModelNode& node = joint.model.nodes[queue.back()];
    queue.pop_back();
    for (uint32_t on : node.on) {
      if (stuck[on] && seen.insert(on).second) queue.push_back(on);
    }
    for (const Holder& holder : node.holders) {  // a semaphore's
      if (stuck[holder.node] && seen.insert(holder.node).second) queue.push_back(holder.node);
    }
  }
  return seen;
}

}  // namespace

std::vector<JointFinding> JointDetector::Look(const std::vector<JudgedProcess>& processes,
                                              uint64_t now_ns) {
  std::vector<JointFinding> findings;
  next_look_ns_ = 0;
  DropEnded(processes);
  if (semaphores_.size() > kSemaphoresKept) semaphores_.clear();
  bool any = false;
  for (const JudgedProcess& process : processes) {
    // A judge looks oftener than this: that nothing has moved since its last look says nothing.
    const auto alone = alone_.find(process.pid);
    if (alone != alone_.end() && !process.snapshot->moved &&
        alone->second == process.snapshot->moves) {
      continue;
    }
    const std::vector<ThreadInfo>& threads = process.snapshot->threads;
    const bool waits = std::any_of(threads.begin(), threads.end(), [&](const ThreadInfo& thread) {
      return WaitsForShared(process, thread, &semaphores_);
    });
    if (waits) {
      alone_.erase(process.pid);
    } else {
      alone_[process.pid] = process.snapshot->moves;
    }
    any |= waits;
  }
  if (!any) {
    sightings_.clear();
    outside_.Clear();
    return findings;
  }
  const JointInput input = Input(processes);
  {
    const JointModel first = JointFromLedgers(input);
    std::vector<WaitNode> graph = first.model.Graph(Flavor::kLockLike);
    for (size_t i = 0; i < graph.size(); ++i) {
      if (first.model.nodes[i].known) graph[i] = WaitNode();
    }
    Remember(processes, first, FindStuck(graph), now_ns);
    outside_.NoteOwners(processes, first, now_ns);
  }
  std::vector<Suspects> settled(processes.size());
  if (!Settled(processes, now_ns, &settled)) return findings;
  const JointModel joint = JointFromWitnesses(input, settled);
  outside_.NoteFiles(processes, joint, now_ns);
  CompareFromNow(processes, joint, now_ns);
  const std::vector<bool> stuck = FindStuck(joint.model.Graph(Flavor::kLockLike));
  for (const Deadlock& deadlock : Find(joint)) {
    if (deadlock.presumed && !IsStall(processes, joint, deadlock, now_ns)) continue;
    if (!StillSo(processes, joint, stuck, deadlock)) continue;
    findings.push_back(Tell(processes, joint, deadlock, now_ns));
    Keep(processes, joint, deadlock);
  }
  return findings;
}

std::vector<std::string> JointDetector::Forget(const JudgedProcess& process, uint64_t now_ns) {
  std::vector<std::string> lines = outside_.Forget(process, now_ns);
  alone_.erase(process.pid);
  std::erase_if(sightings_, [&](const auto& entry) { return entry.first.first == process.pid; });
  absl::erase_if(semaphores_, [&](const auto& entry) { return entry.first.first == process.pid; });
  // What its threads held in shared memory is held by nobody now. Elsewhere its tids are
  // others' names.
  if (process.snapshot->process.ledger_pid != static_cast<uint32_t>(process.pid)) return lines;
  if (ended_.size() > kEndedKept) ended_.clear();
  for (const ThreadInfo& thread : process.snapshot->threads) {
    for (const HeldLock& held : thread.held) {
      const LockInfo lock = process.reader->Lock(held.lock);
      if (!held.inherited && (lock.flags & ledger::kProcessShared) != 0) ended_.insert(thread.tid);
    }
  }
  return lines;
}

bool JointDetector::Involves(int pid) const {
  const auto has = [pid](const auto& cores) {
    return std::any_of(cores.begin(), cores.end(), [pid](const auto& core) {
      return std::any_of(core.begin(), core.end(),
                         [pid](const auto& thread) { return thread.first == pid; });
    });
  };
  return has(known_) || has(presumed_);
}

uint64_t JointDetector::deadlocked_threads() const {
  uint64_t threads = 0;
  for (const auto& core : known_) threads += core.size();
  return threads;
}

JointInput JointDetector::Input(const std::vector<JudgedProcess>& processes) const {
  JointInput input{.processes = &processes, .files = files_.get(), .known = {}, .ended = &ended_};
  input.known.resize(processes.size());
  for (const auto& core : known_) {
    for (const auto& [pid, thread] : core) {
      for (size_t p = 0; p < processes.size(); ++p) {
        if (processes[p].pid == pid) input.known[p].insert(thread.slot);
      }
    }
  }
  return input;
}

void JointDetector::DropEnded(const std::vector<JudgedProcess>& processes) {
  const auto moved = [&](const auto& core) {
    return std::any_of(core.begin(), core.end(), [&](const auto& entry) {
      const JudgedProcess* process = ProcessOf(processes, entry.first);
      if (process == nullptr) return true;
      const ThreadInfo now = process->reader->Thread(entry.second.slot);
      return !now.torn && !SameMoment(entry.second, now);
    });
  };
  std::erase_if(known_, moved);
  std::erase_if(presumed_, moved);
}

void JointDetector::Remember(const std::vector<JudgedProcess>& processes, const JointModel& joint,
                             const std::vector<bool>& stuck, uint64_t now_ns) {
  std::map<Where, Sighting> seen;
  for (uint32_t i = 0; i < joint.model.nodes.size(); ++i) {
    const ModelNode& node = joint.model.nodes[i];
    if (!stuck[i] || node.need == Need::kNever || !IsThread(joint, i)) continue;
    const JudgedProcess& process = processes[joint.process[i]];
    const Where where{process.pid, node.thread->slot};
    const auto before = sightings_.find(where);
    if (before != sightings_.end() && SameMoment(before->second.thread, *node.thread)) {
      seen[where] = std::move(before->second);
    } else {
      seen[where] =
          Sighting{*node.thread, now_ns, process.kernel->Thread(node.tid).context_switches};
    }
  }
  sightings_ = std::move(seen);
}

// False: there is nobody to ask about, or nothing new about those who were asked about.
bool JointDetector::Settled(const std::vector<JudgedProcess>& processes, uint64_t now_ns,
                            std::vector<Suspects>* settled) {
  std::vector<Where> asked;
  for (const auto& [where, sighting] : sightings_) {
    const uint64_t due = sighting.first_ns + confirm_after_ns_;
    if (due > now_ns) {
      if (next_look_ns_ == 0 || due < next_look_ns_) next_look_ns_ = due;
      continue;
    }
    const JudgedProcess* process = ProcessOf(processes, where.first);
    (*settled)[static_cast<size_t>(process - processes.data())][where.second] =
        FirstSightOf(sighting.thread, sighting.context_switches);
    asked.push_back(where);
  }
  if (asked.empty()) return false;
  if (asked != asked_) {
    asked_ = std::move(asked);
    ask_interval_ns_ = kFirstIntervalNs;
  } else if (now_ns < ask_again_ns_) {
    return false;
  } else {
    ask_interval_ns_ = std::min(2 * ask_interval_ns_, kLongestIntervalNs);
  }
  ask_again_ns_ = now_ns + ask_interval_ns_;
  return true;
}

// Who ran since its context switches were read (most often just to fall asleep) is
// compared with now at the next look.
void JointDetector::CompareFromNow(const std::vector<JudgedProcess>& processes,
                                   const JointModel& joint, uint64_t now_ns) {
  for (uint32_t i = 0; i < joint.model.nodes.size(); ++i) {
    const ModelNode& node = joint.model.nodes[i];
    if (!IsThread(joint, i) || node.stayed_asleep || !node.context_switches.has_value()) continue;
    const auto sighting =
        sightings_.find({processes[joint.process[i]].pid, node.thread->slot});
    if (sighting == sightings_.end()) continue;
    sighting->second.context_switches = node.context_switches;
    if (ask_interval_ns_ > kFirstIntervalNs) continue;
    ask_again_ns_ = next_look_ns_ = now_ns + confirm_after_ns_;
  }
}

std::vector<Deadlock> JointDetector::Find(const JointModel& joint) const {
  std::vector<Deadlock> found;
  const auto told = [&](const std::vector<uint32_t>& core) {
    return std::any_of(found.begin(), found.end(), [&](const Deadlock& other) {
      return std::any_of(core.begin(), core.end(), [&](uint32_t node) {
        return std::count(other.core.begin(), other.core.end(), node) +
                   std::count(other.behind.begin(), other.behind.end(), node) > 0;
      });
    });
  };
  const auto add = [&](Deadlock deadlock, const std::vector<WaitNode>& graph,
                       const std::vector<bool>& stuck, bool inferred) {
    deadlock.behind = FindBehind(graph, stuck, deadlock.core);
    KeepThreads(joint, &deadlock.core);
    KeepThreads(joint, &deadlock.behind);
    const bool beyond = std::any_of(
        deadlock.core.begin(), deadlock.core.end(),
        [&](uint32_t i) { return IsBeyondOneProcess(joint, i, deadlock.core[0]); });
    if (deadlock.core.empty() || !beyond || told(deadlock.core)) return;
    deadlock.presumed = inferred;
    Grade(joint.model, inferred, confirm_after_ns_, &deadlock);
    const bool files = std::any_of(deadlock.core.begin(), deadlock.core.end(),
                                   [&](uint32_t i) { return IsFile(joint.model.nodes[i]); });
    if (files) {
      deadlock.evidence.push_back("the kernel's list of file locks names the holders");
      if (!joint.complete) {
        deadlock.evidence.push_back(
            "some processes' descriptors may not be looked at: one of them might share a lock");
      }
      if (joint.breakable) {
        deadlock.evidence.push_back(
            "a signal handler of these processes could break a wait for a file");
      }
      if (!joint.complete || joint.breakable) {
        deadlock.confidence = std::min(deadlock.confidence, Confidence::kStrong);
      }
    }
    found.push_back(std::move(deadlock));
  };
  for (const Flavor flavor : {Flavor::kOwners, Flavor::kLockLike}) {
    const std::vector<WaitNode> graph = joint.model.Graph(flavor);
    const std::vector<bool> stuck = FindStuck(graph);
    const bool inferred = flavor == Flavor::kLockLike;
    for (std::vector<uint32_t>& cycle : FindCycles(graph, stuck)) {
      Deadlock deadlock;
      deadlock.core = std::move(cycle);
      add(std::move(deadlock), graph, stuck, inferred);
    }
    if (inferred) continue;
    for (uint32_t i = 0; i < joint.model.nodes.size(); ++i) {
      if (!joint.model.nodes[i].gone) continue;
      Deadlock deadlock;
      deadlock.shape = Deadlock::Shape::kOwnerGone;
      for (uint32_t waiter = 0; waiter < graph.size(); ++waiter) {
        const std::vector<uint32_t>& on = graph[waiter].on;
        if (stuck[waiter] && std::count(on.begin(), on.end(), i) > 0) {
          deadlock.core.push_back(waiter);
        }
      }
      add(std::move(deadlock), graph, stuck, inferred);
    }
  }
  return found;
}

// The cycle of semaphores has lasted, and was not told before.
bool JointDetector::IsStall(const std::vector<JudgedProcess>& processes, const JointModel& joint,
                            const Deadlock& deadlock, uint64_t now_ns) const {
  return std::none_of(deadlock.core.begin(), deadlock.core.end(), [&](uint32_t i) {
    const Where where{processes[joint.process[i]].pid, joint.model.nodes[i].thread->slot};
    const auto sighting = sightings_.find(where);
    return sighting == sightings_.end() || now_ns - sighting->second.first_ns < kPresumeAfterNs ||
           std::any_of(presumed_.begin(), presumed_.end(), [&](const auto& core) {
             return std::any_of(core.begin(), core.end(), [&](const auto& entry) {
               return Where(entry.first, entry.second.slot) == where;
             });
           });
  });
}

bool JointDetector::StillSo(const std::vector<JudgedProcess>& processes, const JointModel& joint,
                            const std::vector<bool>& stuck, const Deadlock& deadlock) {
  const std::set<uint32_t> all = RestsOn(joint, stuck, deadlock.core);
  const bool files = std::any_of(all.begin(), all.end(), [&](uint32_t i) {
    return IsFile(joint.model.nodes[i]);
  });
  bool still = true;
  for (uint32_t i : all) {
    const ModelNode& node = joint.model.nodes[i];
    if (!IsThread(joint, i) || node.known || node.wait == nullptr) continue;
    const JudgedProcess& process = processes[joint.process[i]];
    const auto sighting = sightings_.find({process.pid, node.thread->slot});
    if (sighting == sightings_.end() ||
        !SameMoment(sighting->second.thread, process.reader->Thread(node.thread->slot))) {
      return false;
    }
    if (!files) continue;
    const std::optional<uint64_t> switches = process.kernel->Thread(node.tid).context_switches;
    if (!switches.has_value() || switches != sighting->second.context_switches) {
      sighting->second.context_switches = switches;  // it ran in between: compare from now on
      still = false;
    }
  }
  return still;
}

JointFinding JointDetector::Tell(const std::vector<JudgedProcess>& processes,
                                 const JointModel& joint, const Deadlock& deadlock,
                                 uint64_t now_ns) const {
  JointCast cast;
  cast.process = joint.process;
  cast.names = &joint.names;
  for (const JudgedProcess& process : processes) {
    cast.parts.push_back(process.parts);
    cast.pids.push_back(process.pid);
  }
  JointFinding told;
  told.finding = JointDeadlockFinding(cast, joint.model, deadlock, now_ns);
  for (uint32_t i : deadlock.core) {
    const int pid = processes[joint.process[i]].pid;
    if (std::count(told.pids.begin(), told.pids.end(), pid) == 0) told.pids.push_back(pid);
  }
  return told;
}

void JointDetector::Keep(const std::vector<JudgedProcess>& processes, const JointModel& joint,
                         const Deadlock& deadlock) {
  auto& core = (deadlock.presumed ? presumed_ : known_).emplace_back();
  for (uint32_t i : deadlock.core) {
    const int pid = processes[joint.process[i]].pid;
    core.emplace_back(pid, *joint.model.nodes[i].thread);
    if (deadlock.presumed) continue;
    sightings_.erase({pid, joint.model.nodes[i].thread->slot});
  }
}

}  // namespace lockwarden
