// See stall_watch.h.
#include "watchdog/stall_watch.h"

#include <algorithm>

#include "watchdog/stall_finding.h"

namespace lockwarden {
namespace {

// A beat is dated by the coarse clock, which lags by a timer tick: 10 ms at most.
constexpr uint64_t kCoarseNs = 10'000'000;
// Between the two looks at a stalled thread.
constexpr uint64_t kConfirmNs = 50'000'000;
// Keys of waits, beside those of heartbeats, which are slots.
constexpr uint64_t kWaitKey = uint64_t{1} << 32;

const ThreadInfo* FindThread(const Snapshot& snapshot, uint32_t serial) {
  for (const ThreadInfo& thread : snapshot.threads) {
    if (thread.serial == serial) return &thread;
  }
  return nullptr;
}

bool IsWaitForLock(const Wait& wait) {
  return wait.mode == ledger::Mode::kExclusive || wait.mode == ledger::Mode::kShared ||
         wait.mode == ledger::Mode::kUpgrade;
}

}  // namespace

StallWatch::Episode* StallWatch::Ripe(Key key, const ThreadInfo* thread, uint64_t since_ns,
                                      uint64_t now_ns, StallCause* cause) {
  const auto [found, fresh] = episodes_.try_emplace(key);
  Episode& episode = found->second;
  const bool first_sight = fresh || episode.since_ns != since_ns;
  if (first_sight) {
    episode = Episode();
    episode.since_ns = since_ns;
    episode.seen_ns = now_ns;
  }
  episode.current = true;
  const uint32_t tid = thread == nullptr ? 0 : thread->tid;
  if (first_sight) {
    episode.cpu = ReadCpuUse(kernel_, tid);
    return nullptr;
  }
  if (episode.told || hold_ || now_ns - episode.seen_ns < kConfirmNs) return nullptr;
  *cause = FindStallCause(thread, kernel_, episode.cpu);
  if (cause->kind == StallKind::kStopped) {
    ++stops_;
    trusted_since_ns_ = now_ns;
    episode.current = false;
    return nullptr;
  }
  episode.told = true;
  episode.stall.tid = tid;
  episode.stall.kind = cause->kind;
  episode.stall.told_ns = now_ns;
  return &episode;
}

void StallWatch::Look(const Snapshot& snapshot, const FindingParts& parts,
                      const Deadlocks& deadlocks, uint64_t now_ns, std::vector<Finding>* findings) {
  hold_ = deadlocks.hold;
  const absl::flat_hash_set<uint32_t>& stuck = deadlocks.stuck;
  for (auto& [key, episode] : episodes_) episode.current = false;
  LookAtHeartbeats(snapshot, parts, stuck, now_ns, findings);
  if (wait_limit_ns_ != 0) LookAtWaits(snapshot, parts, stuck, now_ns, findings);
  std::erase_if(episodes_, [](const auto& entry) { return !entry.second.current; });
}

void StallWatch::LookAtHeartbeats(const Snapshot& snapshot, const FindingParts& parts,
                                  const absl::flat_hash_set<uint32_t>& stuck, uint64_t now_ns,
                                  std::vector<Finding>* findings) {
  for (const HeartbeatInfo& heartbeat : snapshot.heartbeats) {
    if (heartbeat.state != ledger::HeartbeatState::kBeating) continue;
    if (stuck.contains(heartbeat.thread_serial)) continue;
    const uint64_t from = std::max(heartbeat.last_ns, trusted_since_ns_);
    if (now_ns < from || now_ns - from <= heartbeat.deadline_ns + kCoarseNs) continue;
    const ThreadInfo* thread = FindThread(snapshot, heartbeat.thread_serial);
    StallCause cause;
    Episode* episode =
        Ripe({heartbeat.index, heartbeat.use}, thread, heartbeat.last_ns, now_ns, &cause);
    if (episode == nullptr) continue;
    episode->stall.heartbeat = heartbeat.name;
    episode->stall.essential = heartbeat.essential;
    ++misses_[heartbeat.name];
    findings->push_back(HeartbeatStall(parts, snapshot, heartbeat, thread, cause, now_ns));
  }
}

void StallWatch::LookAtWaits(const Snapshot& snapshot, const FindingParts& parts,
                             const absl::flat_hash_set<uint32_t>& stuck, uint64_t now_ns,
                             std::vector<Finding>* findings) {
  for (const ThreadInfo& thread : snapshot.threads) {
    const bool waits = !thread.waits.empty() && IsWaitForLock(thread.waits.back());
    if (!waits || thread.exempt || stuck.contains(thread.serial)) {
      first_seen_.erase(thread.serial);
      continue;
    }
    const Wait& wait = thread.waits.back();
    uint64_t since_ns = wait.since_ns;
    if (since_ns == 0) {
      auto& [moves, seen_ns] = first_seen_[thread.serial];
      const uint64_t now_moves = thread.acquisitions + thread.waits_begun;
      if (seen_ns == 0 || moves != now_moves) {
        moves = now_moves;
        seen_ns = now_ns;
      }
      since_ns = seen_ns;
    }
    const uint64_t from = std::max(since_ns, trusted_since_ns_);
    if (now_ns < from || now_ns - from <= wait_limit_ns_) continue;
    StallCause cause;
    Episode* episode =
        Ripe({kWaitKey | thread.serial, thread.waits_begun}, &thread, since_ns, now_ns, &cause);
    if (episode == nullptr) continue;
    // Not seen asleep in the wait: perhaps it has just been given the lock.
    if (cause.kind != StallKind::kLock) {
      episode->told = false;
      continue;
    }
    findings->push_back(LongWait(parts, snapshot, thread, since_ns, wait_limit_ns_, now_ns));
  }
}

std::vector<Stall> StallWatch::now() const {
  std::vector<Stall> stalls;
  for (const auto& [key, episode] : episodes_) {
    if (episode.told) stalls.push_back(episode.stall);
  }
  return stalls;
}

}  // namespace lockwarden
