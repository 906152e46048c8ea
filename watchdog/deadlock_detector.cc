// The stages of deadlock_detector.h, and what is told once.
#include "watchdog/deadlock_detector.h"

#include <algorithm>
#include <limits>

#include "watchdog/deadlock_grade.h"

namespace lockwarden {
namespace {

// A semaphore that is handed over may take its time, as may a queue's other end; a stall can wait
// for that.
constexpr uint64_t kPresumeAfterNs = 1'000'000'000;
// While no record moves: between looks without suspects that rest on lock words, and between
// looks at suspects that were asked about more often than it takes them to fall asleep.
constexpr uint64_t kRestNs = 1'000'000'000;
constexpr uint32_t kAsksWithoutRest = 16;
constexpr uint64_t kFirstRestNs = 200'000'000, kLongestRestNs = 5'000'000'000;

bool SameWait(const Wait& a, const Wait& b) {
  return a.lock == b.lock && a.mode == b.mode && a.timed == b.timed && a.mutex == b.mutex &&
         a.peer == b.peer && a.object == b.object && a.frame == b.frame;
}

bool SameHold(const HeldLock& a, const HeldLock& b) {
  return a.lock == b.lock && a.mode == b.mode && a.inherited == b.inherited &&
         a.depth == b.depth && a.frame == b.frame && a.site == b.site;
}

bool Contains(const std::vector<uint32_t>& nodes, uint32_t node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

}  // namespace

bool SameMoment(const ThreadInfo& a, const ThreadInfo& b) {
  return !a.torn && !b.torn && a.slot == b.slot && a.serial == b.serial && a.tid == b.tid &&
         a.state == b.state && a.acquisitions == b.acquisitions &&
         a.waits_begun == b.waits_begun &&
         std::equal(a.waits.begin(), a.waits.end(), b.waits.begin(), b.waits.end(), SameWait) &&
         std::equal(a.held.begin(), a.held.end(), b.held.begin(), b.held.end(), SameHold);
}

ModelInput DeadlockDetector::Input(const Snapshot& snapshot) const {
  return {.snapshot = &snapshot, .reader = reader_, .kernel = kernel_,
          .handed_over = &handed_over_, .known = &known_slots_};
}

Detection DeadlockDetector::Look(const Snapshot& snapshot, uint64_t now_ns) {
  Detection detection;
  next_look_ns_ = 0;
  if (snapshot.moved) {
    asked_in_vain_ = 0;
  } else if (now_ns < quiet_until_ns_) {
    return detection;
  }
  quiet_until_ns_ = std::numeric_limits<uint64_t>::max();
  DropEnded(snapshot);
  const bool anyone_waits =
      std::any_of(snapshot.threads.begin(), snapshot.threads.end(),
                  [](const ThreadInfo& thread) { return !thread.waits.empty(); });
  if (!anyone_waits) {
    sightings_.clear();
    deadlocked_threads_ = 0;
    return detection;
  }
  const WaitModel model = ModelFromLedger(Input(snapshot));
  if (model.rests_on_words) quiet_until_ns_ = now_ns + kRestNs;
  // Every other flavour leaves fewer stuck than this one. What was told already counts
  // as running here: a new deadlock does not need it.
  std::vector<WaitNode> graph = model.Graph(Flavor::kLockLike);
  for (size_t i = 0; i < graph.size(); ++i) {
    if (model.nodes[i].known) graph[i] = WaitNode();
  }
  Remember(model, FindStuck(graph), now_ns);
  const Suspects settled = Settled(now_ns);
  if (!sightings_.empty()) RestAfterAsking(settled.size() == sightings_.size(), now_ns);
  if (settled.empty()) {
    CountNow(model);
    return detection;
  }
  detection.model = ModelFromWitnesses(Input(snapshot), settled);
  FindOwnerCycles(&detection);
  FindOrphans(&detection);
  FindAsleep(&detection);
  FindLockLike(&detection, now_ns);
  std::erase_if(detection.deadlocks, [&](const Deadlock& deadlock) {
    return !StillSo(detection.model, deadlock);
  });
  for (const Deadlock& deadlock : detection.deadlocks) Keep(detection.model, deadlock);
  CountNow(detection.deadlocks.empty() ? model : ModelFromLedger(Input(snapshot)));
  return detection;
}

void DeadlockDetector::Forget() {
  sightings_.clear();
  known_.clear();
  known_slots_.clear();
  presumed_.clear();
  next_look_ns_ = deadlocked_threads_ = quiet_until_ns_ = 0;
}

// A deadlock that was told is over when any of its core has moved: a signal, a
// cancellation, an exit.
void DeadlockDetector::DropEnded(const Snapshot& snapshot) {
  if (known_.empty() && presumed_.empty()) return;
  absl::flat_hash_map<uint32_t, const ThreadInfo*> by_slot;
  for (const ThreadInfo& thread : snapshot.threads) by_slot[thread.slot] = &thread;
  const auto moved = [&](const std::vector<ThreadInfo>& core) {
    return std::any_of(core.begin(), core.end(), [&](const ThreadInfo& then) {
      const auto now = by_slot.find(then.slot);
      return now == by_slot.end() || (!now->second->torn && !SameMoment(then, *now->second));
    });
  };
  std::erase_if(known_, moved);
  std::erase_if(presumed_, moved);
  known_slots_.clear();
  for (const std::vector<ThreadInfo>& core : known_) {
    for (const ThreadInfo& thread : core) known_slots_.insert(thread.slot);
  }
}

void DeadlockDetector::Remember(const WaitModel& model, const std::vector<bool>& stuck,
                                uint64_t now_ns) {
  absl::flat_hash_map<uint32_t, Sighting> seen;
  for (size_t i = 0; i < model.nodes.size(); ++i) {
    const ModelNode& node = model.nodes[i];
    if (!stuck[i] || node.need == Need::kNever || node.thread == nullptr) continue;
    const auto before = sightings_.find(node.thread->slot);
    if (before != sightings_.end() && SameMoment(before->second.thread, *node.thread)) {
      seen[node.thread->slot] = std::move(before->second);
    } else {
      seen[node.thread->slot] =
          Sighting{*node.thread, now_ns, kernel_->Thread(node.tid).context_switches};
    }
  }
  sightings_ = std::move(seen);
}

Suspects DeadlockDetector::Settled(uint64_t now_ns) {
  Suspects settled;
  for (const auto& [slot, sighting] : sightings_) {
    const uint64_t due = sighting.first_ns + confirm_after_ns_;
    if (due <= now_ns) {
      settled[slot] = FirstSightOf(sighting.thread, sighting.context_switches);
    } else if (next_look_ns_ == 0 || due < next_look_ns_) {
      next_look_ns_ = due;
    }
  }
  return settled;
}

void DeadlockDetector::RestAfterAsking(bool all_settled, uint64_t now_ns) {
  quiet_until_ns_ = 0;
  if (!all_settled || ++asked_in_vain_ <= kAsksWithoutRest) return;
  const uint32_t doublings = std::min(asked_in_vain_ - kAsksWithoutRest, 8u);
  quiet_until_ns_ = now_ns + std::min(kFirstRestNs << doublings, kLongestRestNs);
}

void DeadlockDetector::FindOwnerCycles(Detection* detection) const {
  const std::vector<WaitNode> graph = detection->model.Graph(Flavor::kOwners);
  const std::vector<bool> stuck = FindStuck(graph);
  for (std::vector<uint32_t>& cycle : FindCycles(graph, stuck)) {
    Deadlock deadlock;
    deadlock.core = std::move(cycle);
    deadlock.behind = FindBehind(graph, stuck, deadlock.core);
    Grade(detection->model, /*inferred=*/false, confirm_after_ns_, &deadlock);
    detection->deadlocks.push_back(std::move(deadlock));
  }
}

void DeadlockDetector::FindOrphans(Detection* detection) const {
  const std::vector<WaitNode> graph = detection->model.Graph(Flavor::kOwners);
  const std::vector<bool> stuck = FindStuck(graph);
  for (uint32_t i = 0; i < detection->model.nodes.size(); ++i) {
    if (!detection->model.nodes[i].gone) continue;
    Deadlock deadlock;
    deadlock.shape = Deadlock::Shape::kOwnerGone;
    for (uint32_t waiter = 0; waiter < graph.size(); ++waiter) {
      if (stuck[waiter] && Contains(graph[waiter].on, i)) deadlock.core.push_back(waiter);
    }
    if (deadlock.core.empty()) continue;
    deadlock.behind = FindBehind(graph, stuck, deadlock.core);
    Grade(detection->model, /*inferred=*/false, confirm_after_ns_, &deadlock);
    detection->deadlocks.push_back(std::move(deadlock));
  }
}

void DeadlockDetector::FindAsleep(Detection* detection) {
  // Threads stuck behind a cycle that has a finding of its own need no second one.
  if (!detection->deadlocks.empty() || !known_.empty()) return;
  const WaitModel& model = detection->model;
  const std::vector<WaitNode> graph = model.Graph(Flavor::kStrict);
  const std::vector<bool> stuck = FindStuck(graph);
  const std::optional<uint64_t> caught = kernel_->CaughtSignals();
  const bool handlers = !caught.has_value() || WakingSignals(*caught) != 0;
  bool anyone = false, slept = true;
  for (uint32_t i = 0; i < model.nodes.size(); ++i) {
    const ModelNode& node = model.nodes[i];
    if (!stuck[i] || node.need == Need::kNever) continue;
    anyone |= node.need == Need::kAnyone;
    if (node.stayed_asleep) continue;
    // It stayed in its loop, and no handler can have left that.
    if (node.kernel == KernelSays::kSpins && !handlers) continue;
    slept = false;  // it ran in between: compare with now at the next look
    if (node.thread != nullptr) {
      sightings_[node.thread->slot].context_switches = node.context_switches;
    }
  }
  if (!anyone || !slept) return;

  std::vector<Deadlock> found;
  const std::vector<WaitNode> inferred = model.Graph(Flavor::kInferred);
  for (std::vector<uint32_t>& cycle : FindCycles(inferred, stuck)) {
    Deadlock deadlock;
    deadlock.core = std::move(cycle);
    deadlock.behind = FindBehind(inferred, stuck, deadlock.core);
    found.push_back(std::move(deadlock));
  }
  if (found.empty()) {
    Deadlock deadlock;
    deadlock.shape = Deadlock::Shape::kNobodyLeft;
    for (uint32_t i = 0; i < model.nodes.size(); ++i) {
      if (!stuck[i] || model.nodes[i].wait == nullptr) continue;
      (model.nodes[i].need == Need::kAnyone ? deadlock.core : deadlock.behind).push_back(i);
    }
    found.push_back(std::move(deadlock));
  }
  // A process that shares this one's memory is as good as a thread of it.
  if (kernel_->MemoryIsShared()) return;
  if (HandlersRunByThemselves(kernel_)) return;
  for (Deadlock& deadlock : found) {
    if (handlers && !HoldsAgainstHandlers(model, deadlock)) continue;
    deadlock.everyone_asleep = true;
    Grade(model, deadlock.shape == Deadlock::Shape::kCycle, confirm_after_ns_, &deadlock);
    detection->deadlocks.push_back(std::move(deadlock));
  }
}

void DeadlockDetector::FindLockLike(Detection* detection, uint64_t now_ns) const {
  const auto told_or_too_early = [&](uint32_t node) {
    const uint32_t slot = detection->model.nodes[node].thread->slot;
    const auto sighting = sightings_.find(slot);
    return sighting == sightings_.end() || now_ns - sighting->second.first_ns < kPresumeAfterNs ||
           std::any_of(presumed_.begin(), presumed_.end(), [&](const auto& core) {
             return std::any_of(core.begin(), core.end(),
                                [&](const ThreadInfo& thread) { return thread.slot == slot; });
           });
  };
  const std::vector<WaitNode> graph = detection->model.Graph(Flavor::kLockLike);
  const std::vector<bool> stuck = FindStuck(graph);
  for (std::vector<uint32_t>& cycle : FindCycles(graph, stuck)) {
    const bool told = std::any_of(
        detection->deadlocks.begin(), detection->deadlocks.end(), [&](const Deadlock& other) {
          return std::any_of(cycle.begin(), cycle.end(), [&](uint32_t node) {
            return Contains(other.core, node) || Contains(other.behind, node);
          });
        });
    if (told || std::any_of(cycle.begin(), cycle.end(), told_or_too_early)) continue;
    if (HandlersRunByThemselves(kernel_)) return;
    Deadlock deadlock;
    deadlock.presumed = true;
    deadlock.core = std::move(cycle);
    deadlock.behind = FindBehind(graph, stuck, deadlock.core);
    Grade(detection->model, /*inferred=*/true, confirm_after_ns_, &deadlock);
    detection->deadlocks.push_back(std::move(deadlock));
  }
}

// The record of every thread that the verdict rests on, read once more after the witnesses
// were asked, is that of the first sight.
bool DeadlockDetector::StillSo(const WaitModel& model, const Deadlock& deadlock) const {
  const auto unchanged = [&](uint32_t i) {
    const ModelNode& node = model.nodes[i];
    if (node.thread == nullptr || node.wait == nullptr) return true;  // it has ended
    const auto sighting = sightings_.find(node.thread->slot);
    return sighting != sightings_.end() &&
           SameMoment(sighting->second.thread, reader_->Thread(node.thread->slot));
  };
  if (!std::all_of(deadlock.core.begin(), deadlock.core.end(), unchanged)) return false;
  if (deadlock.presumed) {  // whoever else could have helped is stuck as well
    for (uint32_t i : deadlock.core) {
      const std::vector<uint32_t>& helpers = model.nodes[i].helpers;
      if (!std::all_of(helpers.begin(), helpers.end(), unchanged)) return false;
    }
  }
  if (!deadlock.everyone_asleep) return true;
  for (uint32_t i = 0; i < model.nodes.size(); ++i) {
    if (model.nodes[i].wait != nullptr && !unchanged(i)) return false;
  }
  return true;
}

void DeadlockDetector::Keep(const WaitModel& model, const Deadlock& deadlock) {
  std::vector<ThreadInfo>& core = (deadlock.presumed ? presumed_ : known_).emplace_back();
  for (uint32_t i : deadlock.core) {
    core.push_back(*model.nodes[i].thread);
    if (deadlock.presumed) continue;  // it may turn out to be a deadlock yet
    known_slots_.insert(model.nodes[i].thread->slot);
    sightings_.erase(model.nodes[i].thread->slot);
  }
}

void DeadlockDetector::CountNow(const WaitModel& model) {
  deadlocked_threads_ = 0;
  if (known_slots_.empty()) return;
  const std::vector<WaitNode> graph = model.Graph(Flavor::kOwners);
  std::vector<uint32_t> core;
  for (uint32_t i = 0; i < model.nodes.size(); ++i) {
    if (model.nodes[i].known) core.push_back(i);
  }
  deadlocked_threads_ = core.size();
  if (!core.empty()) deadlocked_threads_ += FindBehind(graph, FindStuck(graph), core).size();
}

}  // namespace lockwarden
