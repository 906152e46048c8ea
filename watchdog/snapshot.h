// Snapshot: what a ledger said at one moment, copied out, bounds-checked, and in
// ordinary containers, so that everything behind it works on plain values.
//
// LedgerReader maps a ledger read-only and trusts nothing in it: the program may be
// corrupting its own memory. What does not make sense is left out and counted in
// Snapshot::rejected, never followed.
//
// Thread safety: a LedgerReader is used by one thread at a time; a Snapshot is a
// value. Must never: write to the ledger, or block on the program.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "runtime/ledger.h"

namespace lockwarden {

// One life of one lock. Equal keys are the same lock; the ledger's generation is
// 24 bits wide.
struct LockKey {
  uint32_t index = ledger::kNoIndex;
  uint32_t generation = 0;
  friend bool operator==(const LockKey&, const LockKey&) = default;
  friend auto operator<=>(const LockKey&, const LockKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const LockKey& key) {
    return H::combine(std::move(h), key.index, key.generation);
  }
};

struct HeldLock {
  LockKey lock;
  ledger::Mode mode = ledger::Mode::kNone;
  bool timed = false;      // acquired with a time limit
  bool tried = false;      // acquired by a try
  bool inherited = false;  // held by the parent's thread at fork
  uint64_t site = 0;       // return address of the acquiring call
  uint32_t stack = 0;      // for LedgerReader::Stack; 0: none
  uint32_t depth = 0;      // further acquisitions of a recursive lock
  uint32_t frame = 0;      // > 0: taken in a signal handler
};

struct Wait {
  // kJoin: index is the joined thread's slot, or kNoIndex when unknown, and generation the
  // low 24 bits of its serial.
  LockKey lock;
  ledger::Mode mode = ledger::Mode::kNone;
  bool timed = false;
  LockKey mutex;            // kSignal: the mutex that goes with the condition
  uint64_t peer = 0;        // kJoin: the pthread_t. kArrive: how many make a round, or 0
  uint64_t object = 0;      // address the program passed to the blocking call
  uint64_t site = 0;
  uint64_t since_ns = 0;    // CLOCK_MONOTONIC; 0: not known
  uint32_t stack = 0;
  uint32_t frame = 0;
  uint32_t spins = 0;       // moves while the thread spins in Lockwarden's own loop
};

struct ThreadInfo {
  uint32_t slot = 0;
  uint32_t tid = 0;  // in the process's own pid namespace
  uint32_t serial = 0;
  uint32_t creator_serial = 0;
  ledger::ThreadState state = ledger::ThreadState::kFree;
  bool exempt = false;
  std::string name;  // may be empty
  bool joined = false;      // ended, joined, and it held locks
  uint32_t exit_stack = 0;  // where it ended itself holding locks
  uint64_t pthread_self = 0;
  uint64_t start_routine = 0;
  uint64_t created_ns = 0;
  uint64_t acquisitions = 0;
  uint64_t waits_begun = 0;  // ThreadRecord::waits
  uint64_t contentions = 0;
  uint64_t wait_ns = 0;
  uint64_t held_dropped = 0;
  uint64_t nested_dropped = 0;
  uint64_t stack_failures = 0;
  bool torn = false;  // changed while it was copied: good for display, not for a verdict
  bool fresh = true;  // copied anew by the last Take or Refresh
  uint64_t stamp = 0;          // for Refresh: of all that moves with the record; 0: copy it again
  std::vector<HeldLock> held;  // oldest first
  std::vector<Wait> waits;     // innermost frame last: the one it is blocked in
};

// Who was seen to signal a condition: evidence, not proof; see runtime/condition_signals.h.
struct SignalsSeen {
  uint32_t unheard = 0;        // found nobody waiting, at least; none is counted ...
  bool heard = false;          // ... once one has found somebody
  uint32_t by[2] = {};         // serials of threads that signalled; 0: none
  bool by_others = false;      // and more threads than these
  uint32_t unheard_stack = 0;  // of the last one that found nobody
};

struct LockInfo {
  LockKey key;
  uint64_t address = 0;
  ledger::LockKind kind = ledger::LockKind::kNone;
  uint32_t flags = 0;  // ledger::LockFlag
  bool alive = true;   // the record's generation is still the key's
  uint64_t serial = 0;
  uint32_t lock_class = 0;  // class index + 1; 0: none
  std::string name;         // as given by the program; may be empty
  uint32_t init_stack = 0;
  uint64_t acquisitions = 0;  // by threads that have ended or forgotten it; kUncounted: many
  uint32_t own_releases = 0;  // semaphores only
  uint32_t foreign_releases = 0;
  SignalsSeen signals;  // conditions only
  // Queues, barriers and events only: how many threads were seen to help at it; see
  // runtime/helpers.h. kUnlistedHelpers: and more.
  uint32_t helpers = 0;
  // Neither semaphores nor file locks: where code outside signal handlers took it, and
  // whether only to read.
  uint32_t plain_stack = 0;
  bool plain_shared = false;
  uint32_t plain_mask = 0;  // what signals it had blocked: ledger::kPlainBlocked and so on
};

// A thread as an end of order edges, by its serial.
constexpr bool IsThread(LockKey key) { return ledger::IsThreadIndex(key.index); }

struct EdgeInfo {
  uint32_t index = 0;
  LockKey from, to;
  uint64_t first_ns = 0;
  bool witnesses_dropped = false;
  std::vector<ledger::OrderWitness> witnesses;
};

// Where locks of one kind come from.
struct ClassInfo {
  uint64_t site = 0;  // pc of the creating or first locking call; 0: not known
  uint32_t stack = 0;
  std::string name;
};

// How many waits and holds of a class took how long, as they stand in the ledger: the counts
// wrap round.
struct TimeCounts {
  std::array<uint32_t, ledger::kTimeBuckets> waits{}, holds{};
};

// A thread's begin and end by other threads' clocks: runtime/thread_life.h.
struct ThreadLifeInfo {
  uint32_t creator = 0, created_at = 0;  // creator 0: not seen
  uint32_t joiner = 0, joined_at = 0;    // joiner 0: not joined
};

struct ModuleInfo {
  uint64_t base = 0, begin = 0, end = 0;
  std::string path;
  std::string build_id;  // raw bytes
};

struct MisuseInfo {
  ledger::MisuseKind kind = ledger::MisuseKind::kNone;
  uint32_t thread_serial = 0, other_serial = 0;
  uint32_t stack = 0, other_stack = 0, count = 0;
  LockKey lock, other_lock;
  ledger::Mode mode = ledger::Mode::kNone;  // how the other thread holds `lock`, if it does
  ledger::Mode other_mode = ledger::Mode::kNone;       // kOrderViolation: and `other_lock`
  ledger::OrderRule rule = ledger::OrderRule::kNone;  // the same
  uint64_t site = 0, time_ns = 0;
  uint64_t blocked = 0;  // kTakenInHandler: signals, bit n-1 for signal n; 0: not known
};

struct HeartbeatInfo {
  uint32_t index = 0;
  uint32_t use = 0;  // another one: another heartbeat in the same place
  std::string name;
  ledger::HeartbeatState state = ledger::HeartbeatState::kFree;
  uint64_t last_ns = 0;      // CLOCK_MONOTONIC, up to a few milliseconds early
  uint64_t deadline_ns = 0;
  uint32_t thread_serial = 0;  // who beat last; 0: not known
  bool essential = false;
  uint64_t beats = 0, late = 0;
};

struct TableUse {
  const char* name = "";
  uint64_t capacity = 0, used = 0, dropped = 0;
};

struct ProcessIdentity {
  uint64_t image_id[2] = {};
  uint32_t ledger_pid = 0;  // in the process's own pid namespace
  uint32_t parent_pid = 0;
  uint64_t start_ticks = 0;
  uint64_t clock_monotonic_ns = 0, clock_realtime_ns = 0;
  std::string program;  // path, or comm when the path is not known
  uint32_t flags = 0;   // ledger::HeaderFlag
};

struct Snapshot {
  ProcessIdentity process;
  std::vector<ThreadInfo> threads;  // every slot in use, by slot
  std::vector<HeartbeatInfo> heartbeats;  // those in use
  bool moved = true;  // a thread is fresh, or one has gone, since the last Take or Refresh
  uint64_t moves = 0;  // how often that was so: for who does not see each Refresh
  uint32_t candidates = 0;
  uint64_t acquisitions = 0;  // live and past threads together, and so below
  uint64_t contentions = 0;
  uint64_t wait_ns = 0;
  uint64_t threads_started = 0, threads_exited = 0;
  uint64_t held_dropped = 0, nested_dropped = 0, stack_failures = 0, unrecorded_calls = 0;
  uint64_t exec_drops = 0, fork_drops = 0;
  uint64_t broken = 0;  // waits that were refused since they would have closed a deadlock
  uint64_t locks_tracked = 0, lock_classes = 0, order_edges = 0, thread_edges = 0;
  std::vector<TableUse> tables;  // index tables left out
  std::string stepped_aside;     // why recording was given up; empty: it was not
  uint64_t rejected = 0;         // things in the ledger that made no sense
};

class LedgerReader {
 public:
  // Takes over `fd`, a memfd that must be sealed against shrinking (a shrunken one
  // would kill the reader with SIGBUS). Errors: kInvalidArgument with one clear line.
  static absl::StatusOr<std::unique_ptr<LedgerReader>> FromDescriptor(int fd);
  // A segment in this process's memory; not owned. For tests and `--core`.
  static absl::StatusOr<std::unique_ptr<LedgerReader>> FromMemory(const void* base, uint64_t size);
  ~LedgerReader();
  LedgerReader(const LedgerReader&) = delete;
  LedgerReader& operator=(const LedgerReader&) = delete;

  Snapshot Take() const;
  // What Take would return now, at a fraction of its cost where little has moved: of a record
  // that shows no change since it was copied for *snapshot, the copy is kept. A change shows
  // in counters, waits, counts of holds, state and name; a recursive lock's depth moves
  // none of them, so a thread that holds one repeatedly is copied each time.
  void Refresh(Snapshot* snapshot) const;
  // One thread's record again, for the second collect; state kFree if it is gone.
  ThreadInfo Thread(uint32_t slot) const;
  LockInfo Lock(LockKey key) const;  // kind kNone if the key makes no sense
  // What the thread in this slot was seen to help at.
  std::vector<LockKey> HelpedBy(uint32_t slot) const;
  // How often a lock was acquired, by all threads together: exact as long as it is seldom, else
  // at least ledger::kUncounted. Looks into every thread's cache.
  uint64_t Acquisitions(const LockInfo& lock) const;
  // The stack that last took a file lock through this descriptor; 0: not known. Looks through
  // all locks.
  uint32_t FileLockTaken(uint64_t descriptor) const;
  // `lock_class` as in LockInfo; all empty if it makes no sense.
  ClassInfo Class(uint32_t lock_class) const;
  TimeCounts Times(uint32_t lock_class) const;  // likewise
  uint32_t ClassCount() const { return Used(ledger::kClasses); }
  // Edges are append-only: pass what was returned so far to get the rest, at most `limit`.
  // One that is not whole yet ends the batch.
  // Edges without a single witness are left out: they lost the race for their place.
  // `of_threads`: those that have a thread at an end, which are a table of their own.
  std::vector<EdgeInfo> Edges(uint32_t from_index, uint32_t limit, bool of_threads = false) const;
  // How many records of misuse were begun, and one of them. nullopt: it is not whole (yet);
  // kind kNone: it makes no sense.
  uint32_t MisuseCount() const { return Used(ledger::kMisuse); }
  std::optional<MisuseInfo> Misuse(uint32_t index) const;
  // Those in use; one that is just changing is left out.
  std::vector<HeartbeatInfo> Heartbeats() const;
  std::vector<ThreadLifeInfo> ThreadLives() const;  // by serial - 1
  std::vector<ModuleInfo> Modules() const;
  // Return addresses, innermost first; empty if there is none or it makes no sense.
  std::vector<uint64_t> Stack(uint32_t id) const;
  // The stack is that of code in a signal handler; its last pc is the handler's trampoline.
  bool IsInHandler(uint32_t id) const;
  std::string Name(uint32_t id) const;
  const ProcessIdentity& identity() const { return identity_; }
  // The segment itself, to save it as the black box.
  const void* base() const { return base_; }
  uint64_t size() const { return size_; }

 private:
  LedgerReader() = default;
  absl::Status Check();  // reads the header once; fills in identity_ and tables_

  struct TableView {
    uint64_t offset = 0;
    uint32_t record_size = 0, capacity = 0;
  };
  const ledger::Header& header() const;
  uint32_t Used(ledger::TableId id) const;  // records handed out, at most the capacity
  template <class T>
  const T* Record(ledger::TableId id, uint32_t index) const {  // index < capacity
    return reinterpret_cast<const T*>(base_ + tables_[id].offset) + index;
  }
  bool CopyThread(uint32_t slot, ThreadInfo* out) const;
  void TakeHeader(Snapshot* snapshot) const;
  void TakeTables(Snapshot* snapshot) const;
  bool CopyFrame(const ledger::ThreadRecord& record, uint32_t frame, ThreadInfo* out) const;
  void TakeDetailsFromHold(const ledger::ThreadRecord& record, ledger::PackedRef wait_ref,
                           Wait* wait) const;
  bool ParseWait(ledger::PackedRef ref, Wait* out) const;
  bool IsLock(ledger::PackedRef ref) const;
  bool IsThread(ledger::PackedRef ref) const;

  const char* base_ = nullptr;
  uint64_t size_ = 0;
  bool owned_ = false;
  ProcessIdentity identity_;
  TableView tables_[ledger::kTableCount];
  mutable uint64_t rejected_ = 0;
};

}  // namespace lockwarden
