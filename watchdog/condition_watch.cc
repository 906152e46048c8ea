// Candidates by the ledger alone, then the witnesses, once the wait has lasted.
#include "watchdog/condition_watch.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "watchdog/condition_finding.h"
#include "watchdog/deadlock_detector.h"

namespace lockwarden {
namespace {

using ledger::Mode;
using ledger::ThreadState;

constexpr uint64_t kLastingNs = 1'000'000'000;  // a signaller may take its time
constexpr size_t kWatchedAtOnce = 16;
constexpr size_t kAskedAbout = 64;  // threads behind one waiter
constexpr size_t kToldKept = 4096;

bool AwaitsSignal(const ThreadInfo& thread) {
  if (thread.torn || thread.exempt || thread.state != ThreadState::kLive || thread.waits.empty()) {
    return false;
  }
  return thread.waits.back().mode == Mode::kSignal && !thread.waits.back().timed;
}

const ThreadInfo* BySerial(const Snapshot& snapshot, uint32_t serial) {
  const auto found = std::find_if(snapshot.threads.begin(), snapshot.threads.end(),
                                  [&](const ThreadInfo& t) { return t.serial == serial; });
  return found == snapshot.threads.end() ? nullptr : &*found;
}

// By the ledger: it is not at work, so it may be stuck, or gone.
bool MayBeNoHelp(const ThreadInfo* signaller) {
  return signaller == nullptr || signaller->state == ThreadState::kExiting ||
         (!signaller->waits.empty() && !signaller->waits.back().timed);
}

bool OnlyKnownSignallers(const Snapshot& snapshot, const SignalsSeen& signals) {
  if (signals.by[0] == 0 || signals.by_others) return false;
  return std::all_of(std::begin(signals.by), std::end(signals.by), [&](uint32_t serial) {
    return serial == 0 || MayBeNoHelp(BySerial(snapshot, serial));
  });
}

}  // namespace

// Those that wait for a signal while somebody waits for them: to end, or to release a lock.
std::vector<const ThreadInfo*> ConditionWatch::Candidates(const ModelInput& input) const {
  std::vector<const ThreadInfo*> waiters, candidates;
  absl::flat_hash_set<LockKey> wanted;
  absl::flat_hash_set<uint64_t> joined;  // descriptors: a slot is not always known
  for (const ThreadInfo& thread : input.snapshot->threads) {
    if (AwaitsSignal(thread)) {
      if (!input.known->contains(thread.slot)) waiters.push_back(&thread);
    } else if (!thread.waits.empty() && !thread.waits.back().timed) {
      const Wait& wait = thread.waits.back();
      if (wait.mode == Mode::kJoin) {
        joined.insert(wait.peer);
      } else {
        wanted.insert(wait.lock);
      }
    }
  }
  if (wanted.empty() && joined.empty()) return candidates;
  for (const ThreadInfo* waiter : waiters) {
    const bool awaited =
        joined.contains(waiter->pthread_self) ||
        std::any_of(waiter->held.begin(), waiter->held.end(), [&](const HeldLock& held) {
          return !held.inherited && wanted.contains(held.lock);
        });
    if (!awaited || told_.contains({waiter->serial, waiter->waits_begun})) continue;
    const LockInfo condition = input.reader->Lock(waiter->waits.back().lock);
    if (!OnlyKnownSignallers(*input.snapshot, condition.signals)) continue;
    candidates.push_back(waiter);
    if (candidates.size() == kWatchedAtOnce) break;
  }
  return candidates;
}

void ConditionWatch::Look(const ModelInput& input, const FindingParts& parts, uint64_t now_ns,
                          std::vector<Finding>* findings) {
  absl::flat_hash_map<uint32_t, Sighting> seen;
  for (const ThreadInfo* thread : Candidates(input)) {
    Sighting& sighting = seen[thread->slot];
    const auto before = sightings_.find(thread->slot);
    if (before != sightings_.end() && SameMoment(before->second.thread, *thread)) {
      sighting = std::move(before->second);
    } else {
      sighting = {*thread, now_ns, now_ns + kLastingNs,
                  input.kernel->Thread(thread->tid).context_switches};
    }
    if (now_ns < sighting.ask_ns) continue;
    sighting.ask_ns = now_ns + (now_ns - sighting.first_ns);  // less and less often
    WaitModel model;
    const LockInfo condition = input.reader->Lock(thread->waits.back().lock);
    const std::optional<SilentCondition> found = Ask(input, sighting, condition, &model);
    if (!found.has_value()) continue;
    if (told_.size() >= kToldKept) told_.clear();
    told_.insert({thread->serial, thread->waits_begun});
    findings->push_back(ConditionFinding(parts, model, *found, now_ns));
  }
  sightings_ = std::move(seen);
}

std::optional<SilentCondition> ConditionWatch::Ask(const ModelInput& input,
                                                   const Sighting& sighting,
                                                   const LockInfo& condition,
                                                   WaitModel* model) const {
  const auto node_of = [&](const WaitModel& in, uint32_t slot) {
    const auto found = std::find_if(in.nodes.begin(), in.nodes.end(), [&](const ModelNode& node) {
      return node.thread != nullptr && node.thread->slot == slot;
    });
    return static_cast<uint32_t>(found - in.nodes.begin());
  };
  // Who could not go on if the waiter never did.
  const auto stuck_behind = [&](const WaitModel& in, uint32_t waiter) {
    std::vector<WaitNode> graph = in.Graph(Flavor::kOwners);
    graph[waiter] = {.need = Need::kNever, .on = {}};
    return FindBehind(graph, FindStuck(graph), std::vector<uint32_t>{waiter});
  };
  Suspects suspects;
  suspects[sighting.thread.slot] = FirstSightOf(sighting.thread, sighting.context_switches);
  {
    const WaitModel first = ModelFromLedger(input);
    for (uint32_t i : stuck_behind(first, node_of(first, sighting.thread.slot))) {
      if (suspects.size() > kAskedAbout) break;
      const ThreadInfo* thread = first.nodes[i].thread;
      if (thread != nullptr) suspects[thread->slot] = FirstSightOf(*thread, std::nullopt);
    }
  }
  *model = ModelFromWitnesses(input, suspects);
  SilentCondition found;
  found.condition = condition;
  found.waiter = node_of(*model, sighting.thread.slot);
  const ModelNode& waiter = model->nodes[found.waiter];
  if (waiter.need != Need::kAnyone || !waiter.stayed_asleep) return std::nullopt;
  found.behind = stuck_behind(*model, found.waiter);
  if (found.behind.empty()) return std::nullopt;
  for (uint32_t serial : condition.signals.by) {
    const ThreadInfo* thread = serial == 0 ? nullptr : BySerial(*input.snapshot, serial);
    if (thread == nullptr || thread == waiter.thread) continue;
    const uint32_t node = node_of(*model, thread->slot);
    if (model->nodes[node].gone) continue;
    const bool stuck =
        std::find(found.behind.begin(), found.behind.end(), node) != found.behind.end();
    if (!stuck) return std::nullopt;  // it may signal again
    found.signallers.push_back(node);
  }
  found.nested = !found.signallers.empty();
  if (!found.nested) {
    const auto waits_too = std::count_if(
        input.snapshot->threads.begin(), input.snapshot->threads.end(), [&](const ThreadInfo& t) {
          return AwaitsSignal(t) && t.waits.back().lock == condition.key;
        });
    const LockInfo mutex = input.reader->Lock(waiter.wait->mutex);
    const SignalsSeen& signals = condition.signals;
    if (signals.heard || signals.unheard == 0 ||
        input.reader->Acquisitions(mutex) > signals.unheard + static_cast<uint64_t>(waits_too)) {
      return std::nullopt;
    }
  }
  const auto unchanged = [&](uint32_t node) {
    const ThreadInfo& thread = *model->nodes[node].thread;
    return SameMoment(thread, input.reader->Thread(thread.slot));
  };
  const bool still = SameMoment(sighting.thread, input.reader->Thread(sighting.thread.slot)) &&
                     std::all_of(found.behind.begin(), found.behind.end(), unchanged);
  if (!still) return std::nullopt;
  return found;
}

}  // namespace lockwarden
