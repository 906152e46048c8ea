// WaitModel: what each thread waits for, and which threads could end that wait.
//
// It is built twice from one snapshot. From the ledger alone it errs towards "stuck":
// whoever is not stuck in it is not stuck, so a healthy program costs no look into
// /proc. From the witnesses (lock words, kernel) it errs towards "can run": a thread
// counts as blocked only if nothing contradicts, and an edge only stands for a condition
// without which the thread cannot go on.
//
// Requirement by what is waited for:
//   mutex, Lock, writer behind a writer   its holder
//   spin lock, once, static guard         its holder, as recorded: the word names none
//   writer behind readers                 every reader that is known
//   reader behind a writer                that writer
//   reader behind readers                 one of the waiting writers, if writers go first
//                                         and none of them has a time limit; else nothing
//   SharedLock, its seat taken            who has the seat, holding it or waiting for readers
//   SharedLock, by who has the seat       every reader that is known
//   join                                  the joined thread
//   a future, as far as the program said  the thread whose promise it is
//   condition, whose waiter already sits on its mutex    the mutex's holder
//   condition, semaphore, barrier, anything else         anybody; a semaphore's holder, and who
//                                         was seen to help at a queue, a barrier or an event,
//                                         are inferred and kept apart (Flavor)
//
// Who helps, by what was seen (runtime/helpers.h; whoever has ended, or could not be listed, makes
// it anybody again):
//   queue, event                          one of those who put in, or took out; who set it
//   barrier, which more have used than must still come   one of those
//   barrier, which as many have used                     all of them
//   all of them wait for the same object  anybody: an idle pool is no knot
//
// Thread safety: none. A model points into its snapshot.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "watchdog/judge.h"
#include "watchdog/kernel_witness.h"
#include "watchdog/lock_words.h"
#include "watchdog/snapshot.h"
#include "watchdog/wait_for_graph.h"

namespace lockwarden {

struct Holder {
  uint32_t node = 0;
  const HeldLock* hold = nullptr;  // null: only the lock word (or the kernel) names this holder
  ledger::Mode named = ledger::Mode::kExclusive;  // how, when `hold` is null
};

struct ModelNode {
  const ThreadInfo* thread = nullptr;  // null: an owner that no longer exists
  uint32_t tid = 0;
  const Wait* wait = nullptr;          // null: it waits for nothing
  LockInfo lock;                       // what it waits for; kind kNone for a join
  ledger::Mode mode = ledger::Mode::kNone;
  Need need = Need::kNothing;
  std::vector<uint32_t> on;            // for kAll and kAny
  std::vector<Holder> holders;         // of `lock`; a semaphore's are inferred
  std::vector<uint32_t> helpers;       // who could end a wait for anybody, as far as was seen
  bool every_helper = false;           // all of them are needed; else one
  uint32_t arrived = 0;                // how many wait at a barrier, this one among them
  bool known = false;                  // in a deadlock that has been told already
  bool gone = false;                   // ended: it holds what it holds for ever
  bool optimistic = false;             // a condition's waiter that may sit on its mutex
  bool on_condition_mutex = false;     // ... and that does, as the kernel says
  bool behind_writer = false;          // a reader that gives way to a waiting writer
  bool lock_like = false;              // a semaphore used as a lock, as far as was seen
  // What the witnesses said, in a model built from them.
  LockWord word;
  bool word_agrees = false;            // it names the very holders that are recorded
  KernelSays kernel = KernelSays::kContradicts;
  std::optional<uint64_t> context_switches;
  bool stayed_asleep = false;          // context switches are those of the first sight
};

// Its wait could be for anybody, but for what was seen.
inline bool ByHelpers(const ModelNode& node) {
  return node.need == Need::kAnyone && !node.helpers.empty();
}

// Which waits count as edges.
enum class Flavor {
  kOwners,    // owners that cannot be doubted; whoever waits for "anybody" can run
  kStrict,    // and "anybody" means anybody
  kLockLike,  // and lock-like semaphores have their inferred holder, other objects their helpers
  kInferred,  // and so has every semaphore: to tell the story of threads known to be stuck
};

struct WaitModel {
  std::vector<ModelNode> nodes;  // the snapshot's threads that are judged; then the others
  bool rests_on_words = false;   // lock words were read, which move without any record
  std::vector<WaitNode> Graph(Flavor flavor) const;
};

// What to ask the witnesses about, by slot, with what moves: as it was at the first sight.
struct FirstSight {
  std::optional<uint64_t> context_switches;
  uint32_t spins = 0;
};
inline FirstSight FirstSightOf(const ThreadInfo& thread, std::optional<uint64_t> switches) {
  return {switches, thread.waits.empty() ? 0 : thread.waits.back().spins};
}
using Suspects = absl::flat_hash_map<uint32_t, FirstSight>;

struct ModelInput {
  const Snapshot* snapshot = nullptr;
  const LedgerReader* reader = nullptr;
  KernelView* kernel = nullptr;
  // Locks that were seen released by threads that did not own them: then anybody might.
  const absl::flat_hash_set<LockKey>* handed_over = nullptr;
  const absl::flat_hash_set<uint32_t>* known = nullptr;  // slots in deadlocks already told
};
WaitModel ModelFromLedger(const ModelInput& input);
WaitModel ModelFromWitnesses(const ModelInput& input, const Suspects& suspects);

}  // namespace lockwarden
