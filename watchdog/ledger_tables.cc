// LedgerReader: looking up locks, classes, order edges, misuse, modules, stacks, names.
//
// Everything is checked against capacities that Check() checked against the segment.
// Must never: trust a count, an offset or a terminator.
#include <algorithm>
#include <cstring>

#include "runtime/condition_signals.h"
#include "watchdog/snapshot.h"

namespace lockwarden {
namespace {

using ledger::LockRecord;

// Acquire: pairs with the release of `ready`, of a witness's place, of a generation
// (L1) or of a growing index's slot (I1); a statistic needs none and gets it.
template <class T>
T Load(const std::atomic<T>& value) {
  return value.load(std::memory_order_acquire);  // as above
}

// While a life is being ended or begun the description belongs to none.
bool IsLife(uint32_t record_generation, uint32_t key_generation) {
  return (record_generation & ledger::kLifeChanging) == 0 &&
         (record_generation & ledger::kGenerationMask) == key_generation;
}

LockKey KeyOf(ledger::PackedRef ref) {
  return {ledger::IndexOf(ref), ledger::GenerationOf(ref)};
}

// The same words as a lock's, with another meaning.
SignalsSeen SignalsOf(const LockRecord& condition) {
  SignalsSeen signals;
  const uint64_t by = Load(condition.acquisitions);
  const uint32_t marks = Load(condition.signal_marks);
  signals.by[0] = static_cast<uint32_t>(by);
  signals.by[1] = static_cast<uint32_t>(by >> 32);
  signals.by_others = (marks & ledger::kOthersSignal) != 0;
  signals.heard = (marks & ledger::kSomebodyHeard) != 0;
  signals.unheard = marks / ledger::kOneUnheard;
  signals.unheard_stack = Load(condition.foreign_releases);
  return signals;
}

LockInfo Nothing(LockKey key) {
  LockInfo info;
  info.key = key;
  info.alive = false;
  return info;
}

}  // namespace

uint64_t LedgerReader::Acquisitions(const LockInfo& lock) const {
  uint64_t sum = lock.acquisitions;
  const uint32_t used = Used(ledger::kThreads);
  for (uint32_t slot = 0; slot < used; ++slot) {
    const auto& record = *Record<ledger::ThreadRecord>(ledger::kThreads, slot);
    const ledger::LockCacheEntry& entry = record.lock_cache[ledger::LockCacheIndex(lock.address)];
    if (Load(entry.address) == lock.address && KeyOf(Load(entry.lock)) == lock.key) {
      sum += Load(entry.exclusive) + Load(entry.shared);
    }
  }
  return sum;
}

uint32_t LedgerReader::FileLockTaken(uint64_t descriptor) const {
  const uint32_t used = Used(ledger::kLocks);
  for (uint32_t i = 0; i < used; ++i) {
    const LockRecord& record = *Record<LockRecord>(ledger::kLocks, i);
    if (Load(record.address) != (ledger::kFileLockBase | descriptor)) continue;
    const bool file = ledger::KindOf(Load(record.kind_and_flags)) == ledger::LockKind::kFileLock;
    return file ? Load(record.plain_stack) : 0;
  }
  return 0;
}

LockInfo LedgerReader::Lock(LockKey key) const {
  LockInfo info = Nothing(key);
  if (key.index >= Used(ledger::kLocks)) return info;
  const LockRecord& record = *Record<LockRecord>(ledger::kLocks, key.index);
  const uint32_t generation = Load(record.generation);
  const uint32_t kind_and_flags = Load(record.kind_and_flags);
  info.address = Load(record.address);
  info.kind = ledger::KindOf(kind_and_flags);
  info.flags = kind_and_flags & ~0xffu;
  info.init_stack = Load(record.init_stack);
  info.lock_class = Load(record.lock_class);
  info.name = Name(Load(record.name));
  info.serial = Load(record.serial);
  if (info.kind == ledger::LockKind::kCondition) {
    info.signals = SignalsOf(record);
  } else {
    info.acquisitions = Load(record.acquisitions);
    info.foreign_releases = Load(record.foreign_releases);
  }
  if (info.kind == ledger::LockKind::kSemaphore) {
    info.own_releases = Load(record.own_releases);
  } else if (info.kind == ledger::LockKind::kQueue || info.kind == ledger::LockKind::kBarrier ||
             info.kind == ledger::LockKind::kEvent) {
    info.helpers = Load(record.own_releases);
  } else if (info.kind != ledger::LockKind::kFileLock) {
    const uint32_t plain = Load(record.plain_stack);
    info.plain_stack = plain & ledger::kPlainStack;
    info.plain_mask = plain & ledger::kPlainMask;
    info.plain_shared = (plain & ledger::kPlainShared) != 0;
  }
  if (info.kind > ledger::LockKind::kUser) {
    ++rejected_;
    return Nothing(key);
  }
  info.alive = IsLife(generation, key.generation) && Load(record.generation) == generation &&
               (info.flags & ledger::kRecordDestroyed) == 0;
  // A life that ended last still has its description; an earlier one does not.
  const bool described = info.alive || ((info.flags & ledger::kRecordDestroyed) != 0 &&
                                        IsLife(generation - 1, key.generation));
  if (!described) {
    // The address and what sort of thing stands there are all that is left.
    LockInfo gone = Nothing(key);
    gone.address = info.address;
    gone.kind = info.kind;
    gone.flags = info.flags | ledger::kInitSeen;
    return gone;
  }
  return info;
}

std::vector<LockKey> LedgerReader::HelpedBy(uint32_t slot) const {
  std::vector<LockKey> helped;
  if (slot >= Used(ledger::kThreads)) return helped;
  const auto& record = *Record<ledger::ThreadRecord>(ledger::kThreads, slot);
  const uint64_t count = std::min<uint64_t>(Load(record.helped_count), ledger::kHelpedCapacity);
  for (uint64_t i = 0; i < count; ++i) helped.push_back(KeyOf(Load(record.helped[i])));
  return helped;
}

ClassInfo LedgerReader::Class(uint32_t lock_class) const {
  ClassInfo info;
  if (lock_class == 0 || lock_class - 1 >= Used(ledger::kClasses)) return info;
  const auto& record = *Record<ledger::LockClassRecord>(ledger::kClasses, lock_class - 1);
  info.site = Load(record.site);
  info.stack = Load(record.stack);
  info.name = Name(Load(record.name));
  return info;
}

TimeCounts LedgerReader::Times(uint32_t lock_class) const {
  TimeCounts counts;
  if (lock_class == 0 || lock_class - 1 >= Used(ledger::kClasses)) return counts;
  const auto& record = *Record<ledger::LockClassRecord>(ledger::kClasses, lock_class - 1);
  for (uint32_t i = 0; i < ledger::kTimeBuckets; ++i) {
    counts.waits[i] = Load(record.times.waits[i]);
    counts.holds[i] = Load(record.times.holds[i]);
  }
  return counts;
}

std::vector<EdgeInfo> LedgerReader::Edges(uint32_t from_index, uint32_t limit,
                                          bool of_threads) const {
  std::vector<EdgeInfo> edges;
  const ledger::TableId table = of_threads ? ledger::kThreadEdges : ledger::kEdges;
  const uint32_t used = Used(table);
  const auto is_end = [&](ledger::PackedRef ref) {
    return of_threads && ledger::IsThreadIndex(ledger::IndexOf(ref)) ? IsThread(ref) : IsLock(ref);
  };
  for (uint32_t i = from_index; i < used && edges.size() < limit; ++i) {
    const auto& record = *Record<ledger::OrderEdge>(table, i);
    if (Load(record.ready) == 0) break;
    const ledger::PackedRef from = Load(record.from), to = Load(record.to);
    if (!is_end(from) || !is_end(to)) {
      ++rejected_;
      continue;
    }
    EdgeInfo edge;
    edge.index = i;
    edge.from = KeyOf(from);
    edge.to = KeyOf(to);
    edge.first_ns = Load(record.first_ns);
    edge.witnesses_dropped = Load(record.witness_count) > ledger::kWitnessesPerEdge;
    for (const std::atomic<uint32_t>& place : record.witness) {
      const uint32_t witness = Load(place);
      if (witness == 0) continue;
      // Asked after the place was read: others go on adding witnesses meanwhile.
      if (witness - 1 >= Used(ledger::kWitnesses)) {
        ++rejected_;
        continue;
      }
      ledger::OrderWitness copy =
          *Record<ledger::OrderWitness>(ledger::kWitnesses, witness - 1);
      if (copy.gate_count > ledger::kGatesPerWitness) {
        ++rejected_;
        continue;
      }
      edge.witnesses.push_back(copy);
    }
    if (!edge.witnesses.empty()) edges.push_back(std::move(edge));
  }
  return edges;
}

std::optional<MisuseInfo> LedgerReader::Misuse(uint32_t index) const {
  if (index >= MisuseCount()) return std::nullopt;
  const auto& record = *Record<ledger::MisuseRecord>(ledger::kMisuse, index);
  if (Load(record.ready) == 0) return std::nullopt;
  MisuseInfo info;
  const uint32_t kind = Load(record.kind);
  if (kind == 0 || kind > ledger::kLastMisuseKind) {
    ++rejected_;
    return info;
  }
  info.kind = static_cast<ledger::MisuseKind>(kind);
  info.thread_serial = Load(record.thread_serial);
  info.other_serial = Load(record.other_serial);
  info.stack = Load(record.stack);
  info.other_stack = Load(record.other_stack);
  info.count = Load(record.count);
  const ledger::PackedRef lock = Load(record.lock), other = Load(record.other_lock);
  const bool order = info.kind == ledger::MisuseKind::kOrderViolation;
  if (order && ledger::ModeBitsOf(lock) <= ledger::kLastOrderRule) {
    info.rule = static_cast<ledger::OrderRule>(ledger::ModeBitsOf(lock));
  }
  const bool none = lock == 0 || info.rule == ledger::OrderRule::kNoLocks;
  if (!none && IsLock(lock)) {
    info.lock = KeyOf(lock);
    if (!order) info.mode = ledger::ModeOf(lock);
  }
  if (info.kind == ledger::MisuseKind::kTakenInHandler) {
    info.blocked = other;
  } else if (other != 0 && IsLock(other)) {
    info.other_lock = KeyOf(other);
    info.other_mode = ledger::ModeOf(other);
  }
  info.site = Load(record.site);
  info.time_ns = Load(record.time_ns);
  return info;
}

std::vector<HeartbeatInfo> LedgerReader::Heartbeats() const {
  using ledger::HeartbeatState;
  std::vector<HeartbeatInfo> heartbeats;
  const uint32_t used = Used(ledger::kHeartbeats);
  for (uint32_t i = 0; i < used; ++i) {
    const auto& record = *Record<ledger::HeartbeatRecord>(ledger::kHeartbeats, i);
    const uint32_t word = Load(record.state);  // H2
    HeartbeatInfo info;
    info.index = i;
    info.use = word / ledger::kHeartbeatUse;
    info.state = ledger::HeartbeatStateOf(word);
    if (info.state == HeartbeatState::kFree || info.state == HeartbeatState::kStarting) continue;
    if (static_cast<uint32_t>(info.state) > ledger::kLastHeartbeatState) {
      ++rejected_;
      continue;
    }
    info.deadline_ns = Load(record.deadline_ns);  // H4
    info.last_ns = Load(record.last_ns);
    info.name = Name(Load(record.name));
    info.thread_serial = Load(record.thread_serial);
    info.essential = Load(record.essential) != 0;
    info.beats = Load(record.beats);
    info.late = Load(record.late);
    if (Load(record.state) == word) heartbeats.push_back(std::move(info));  // H2
  }
  return heartbeats;
}

std::vector<ThreadLifeInfo> LedgerReader::ThreadLives() const {
  std::vector<ThreadLifeInfo> lives(Used(ledger::kThreadLives));
  for (uint32_t i = 0; i < lives.size(); ++i) {
    const auto& record = *Record<ledger::ThreadLife>(ledger::kThreadLives, i);
    lives[i].creator = Load(record.creator);
    lives[i].created_at = Load(record.created_at);
    lives[i].joiner = Load(record.joiner);  // B2 of runtime/thread_life.cc
    lives[i].joined_at = Load(record.joined_at);
  }
  return lives;
}

std::vector<ModuleInfo> LedgerReader::Modules() const {
  std::vector<ModuleInfo> modules;
  const uint32_t used = Used(ledger::kModules);
  for (uint32_t i = 0; i < used; ++i) {
    const auto& record = *Record<ledger::ModuleRecord>(ledger::kModules, i);
    if (Load(record.ready) == 0) continue;
    ModuleInfo info{.base = Load(record.base), .begin = Load(record.begin),
                    .end = Load(record.end), .path = Name(Load(record.path)), .build_id = {}};
    const uint32_t size = Load(record.build_id_size);
    if (size > sizeof(record.build_id) || info.begin > info.end) {
      ++rejected_;
      continue;
    }
    info.build_id.assign(reinterpret_cast<const char*>(record.build_id), size);
    modules.push_back(std::move(info));
  }
  return modules;
}

std::vector<uint64_t> LedgerReader::Stack(uint32_t id) const {
  std::vector<uint64_t> pcs;
  const uint32_t used = Used(ledger::kStacks);
  if (id == 0) return pcs;
  if (id >= used) {
    ++rejected_;
    return pcs;
  }
  const uint64_t head = *Record<uint64_t>(ledger::kStacks, id);
  const uint32_t depth = static_cast<uint32_t>(head) & ~ledger::kStackInHandler;
  if (depth > ledger::kMaxStackDepth || depth > used - id - 1) {
    ++rejected_;
    return pcs;
  }
  const uint64_t* first = Record<uint64_t>(ledger::kStacks, id + 1);
  pcs.assign(first, first + depth);
  return pcs;
}

bool LedgerReader::IsInHandler(uint32_t id) const {
  if (id == 0 || id >= Used(ledger::kStacks)) return false;
  return (*Record<uint64_t>(ledger::kStacks, id) & ledger::kStackInHandler) != 0;
}

std::string LedgerReader::Name(uint32_t id) const {
  const uint32_t used = Used(ledger::kNames);
  if (id == 0) return "";
  if (id >= used) {
    ++rejected_;
    return "";
  }
  const char* begin = Record<char>(ledger::kNames, id);
  const size_t room = std::min<size_t>(used - id, ledger::kMaxNameLength);
  const size_t length = strnlen(begin, room);
  if (length == room) {
    ++rejected_;
    return "";
  }
  return std::string(begin, length);
}

}  // namespace lockwarden
