// Owners, readers, seats and units; see lock_requirement.h.
#include "watchdog/lock_requirement.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "watchdog/lock_words.h"

namespace lockwarden {

using ledger::LockKind;
using ledger::Mode;
using Says = LockWord::Says;

void LockRequirement::Resolve(uint32_t i) {
  ModelNode& node = Node(i);
  if (!node.lock.alive) return;
  if ((node.lock.flags & ledger::kFolded) != 0) return ResolveFolded(i);
  if (node.lock.kind == LockKind::kSemaphore) return ResolveSemaphore(i);
  if (node.mode == Mode::kArrive) return WaitForHelpers(i);
  if (node.mode != Mode::kExclusive && node.mode != Mode::kShared && node.mode != Mode::kUpgrade) {
    return ResolvePromised(i);
  }
  if (!HasOwner(node.lock.kind)) return;  // a file lock: not judged
  if (node.lock.foreign_releases != 0 || in_.handed_over->contains(node.lock.key) ||
      index_.IsInherited(node.lock.key)) {
    return WaitForAnyone(node);
  }
  ResolveOwned(i);
}

void LockRequirement::WaitForHelpers(uint32_t i) {
  ModelNode& node = Node(i);
  WaitForAnyone(node);
  const std::vector<uint32_t>& waiting = index_.WaitersFor(node.wait->lock);
  node.arrived = static_cast<uint32_t>(waiting.size());
  if (node.need != Need::kAnyone || node.lock.helpers == 0) return;
  const auto waits_too = [&](uint32_t helper) {
    return std::find(waiting.begin(), waiting.end(), helper) != waiting.end();
  };
  std::vector<uint32_t> helpers = index_.HelpersOf(node.lock);
  if (node.mode == Mode::kArrive) {
    std::erase_if(helpers, waits_too);
    const uint64_t parties = node.wait->peer;  // 0: not known
    if (parties <= waiting.size() || helpers.size() < parties - waiting.size()) return;
    node.every_helper = helpers.size() == parties - waiting.size();
  } else if (std::all_of(helpers.begin(), helpers.end(), waits_too)) {
    return;
  } else {
    std::erase(helpers, i);
  }
  node.helpers = std::move(helpers);
}

// A future may say whose promise it is.
void LockRequirement::ResolvePromised(uint32_t i) {
  const uint64_t peer = Node(i).wait->peer;
  const bool names = Node(i).lock.kind == LockKind::kFuture && peer != 0;
  const std::optional<uint32_t> promiser = names ? index_.ByRef(peer) : std::nullopt;
  if (!promiser.has_value()) return WaitForAnyone(Node(i));
  Node(i).need = Need::kAll;
  Node(i).on = {*promiser};
}

void LockRequirement::ReadWord(ModelNode& node) {
  node.word = ReadLockWord(in_.kernel, node.lock);
  read_words_ = true;
}

// One of many locks that share a record: whose it is, only its word says.
void LockRequirement::ResolveFolded(uint32_t i) {
  Node(i).lock.address = Node(i).wait->object;
  ReadWord(Node(i));
  const ModelNode& node = Node(i);
  if (node.word.shared || node.word.says == Says::kUnits) return;
  // That a plain mutex is handed over cannot be noted for one of these: its owner proves nothing.
  constexpr uint32_t kOwnerReleases =
      ledger::kErrorCheck | ledger::kRecursive | ledger::kRobust | ledger::kPriorityInherit;
  const bool owner_releases =
      node.lock.kind == LockKind::kLock || node.lock.kind == LockKind::kRLock ||
      (node.lock.kind == LockKind::kMutex && (node.lock.flags & kOwnerReleases) != 0);
  if (node.word.says == Says::kOwned && owner_releases) return WaitForNamedOwner(i, {});
  WaitForAnyone(Node(i));
}

void LockRequirement::WaitForAnyone(ModelNode& node) {
  if (!node.lock.alive || (node.lock.flags & ledger::kProcessShared) != 0) return;
  node.need = Need::kAnyone;
}

void LockRequirement::ResolveOwned(uint32_t i) {
  ModelNode& node = Node(i);
  std::vector<Holder> writers, readers;
  uint64_t read_holds = 0;
  for (const Holder& holder : index_.HoldersOf(node.lock.key)) {
    if (holder.hold->mode != Mode::kShared) {
      writers.push_back(holder);
    } else {
      readers.push_back(holder);
      read_holds += uint64_t{1} + holder.hold->depth;
    }
  }
  if (node.lock.kind == LockKind::kSharedLock) {
    return ResolveSharedLock(i, writers, readers, read_holds);
  }
  const bool recorded = !writers.empty() || (!readers.empty() && node.mode != Mode::kShared);
  if (asking_ || !recorded) ReadWord(node);
  switch (node.word.says) {
    case Says::kNothing:
      if (!writers.empty() && !readers.empty()) return;
      if (!writers.empty()) return WaitForOwner(i, writers);
      return WaitBehindReaders(i, readers,
                               (node.lock.flags & ledger::kPreferWriterNonrecursive) != 0);
    case Says::kOwned:
      return WaitForNamedOwner(i, writers);
    case Says::kHeld:
      return writers.empty() ? WaitForAnyone(node) : WaitForOwner(i, writers);
    case Says::kReaders:
      if (!writers.empty() || read_holds > node.word.readers) return;
      node.word_agrees = read_holds == node.word.readers;
      return WaitBehindReaders(i, readers, node.word.writer_preferred && node.word.writer_waits);
    default:
      return;  // free, or just taken: whatever the ledger says is not so now
  }
}

// Whoever writes, wants to write or may upgrade needs the seat; who has it and wants to write
// waits for the readers; a reader waits for who has it and has closed the lock.
void LockRequirement::ResolveSharedLock(uint32_t i, const std::vector<Holder>& seats,
                                        const std::vector<Holder>& readers, uint64_t read_holds) {
  ModelNode& node = Node(i);
  ReadWord(node);
  const LockWord& word = node.word;
  if (word.owner == 0 || (!word.closed && node.mode == Mode::kShared)) return;
  if (word.owner != node.tid) return WaitForSeat(i, seats);
  if (node.mode != Mode::kExclusive || !word.writer_waits || read_holds > word.readers) return;
  node.word_agrees = read_holds == word.readers;
  WaitBehindReaders(i, readers, /*writers_first=*/true);
}

void LockRequirement::WaitForSeat(uint32_t i, const std::vector<Holder>& seats) {
  if (seats.empty()) {
    for (uint32_t writer : index_.WritersOf(Node(i).lock.key)) {
      if (Node(writer).tid != Node(i).word.owner) continue;
      if (Node(writer).wait->timed) return;  // it may give up
      Node(i).need = Need::kAll;
      Node(i).on = {writer};
      Node(i).behind_writer = true;
      return;
    }
  }
  WaitForNamedOwner(i, seats);
}

void LockRequirement::WaitForOwner(uint32_t i, const std::vector<Holder>& owners) {
  ModelNode& node = Node(i);
  for (const Holder& owner : owners) {
    if (owner.node != owners[0].node) return;  // two owners: one of them is not true
  }
  const bool recursive = (node.lock.flags & ledger::kRecursive) != 0 || node.word.recursive ||
                         node.lock.kind == LockKind::kRLock;
  if (owners[0].node == i && recursive) return;
  const bool robust = (node.lock.flags & ledger::kRobust) != 0 || node.word.robust;
  if (Node(owners[0].node).gone && robust) return;  // the kernel hands it on
  node.need = Need::kAll;
  node.on = {owners[0].node};
  node.holders = {owners[0]};
}

// The lock word names its owner.
void LockRequirement::WaitForNamedOwner(uint32_t i, const std::vector<Holder>& recorded) {
  const uint32_t owner = Node(i).word.owner;
  if (!recorded.empty()) {
    if (Node(recorded[0].node).tid != owner) return;  // contradicted
    Node(i).word_agrees = true;
    return WaitForOwner(i, recorded);
  }
  const LockWord& word = Node(i).word;  // if shared, perhaps with a pid namespace of its own
  if (word.shared && FindShared(in_.kernel->SharedMappings(), Node(i).lock.address)) return;
  const std::optional<uint32_t> found = index_.ByTid(owner);
  if (found.has_value() && !Node(*found).thread->torn) {
    return WaitForOwner(i, {{.node = *found}});
  }
  if (word.robust || index_.IsExempt(owner)) return;
  if (asking_) {
    if (!index_.roster().IsGone(owner)) return;  // a thread that nobody recorded: it may run
    // It may have let go before it ended, and woken another waiter than this one.
    const LockWord now = ReadLockWord(in_.kernel, Node(i).lock);
    if (now.says != Says::kOwned || now.owner != owner) return;
  }
  if ((in_.snapshot->process.flags & ledger::kForkedChild) != 0) {
    return WaitForAnyone(Node(i));  // the parent's: a copy of the forking thread may free it
  }
  WaitForOwner(i, {{.node = index_.GoneNode(owner)}});
}

void LockRequirement::WaitBehindReaders(uint32_t i, const std::vector<Holder>& readers,
                                        bool writers_first) {
  ModelNode& node = Node(i);
  if (readers.empty()) return;
  if (node.mode != Mode::kShared) {
    node.need = Need::kAll;
    node.holders = readers;
    for (const Holder& reader : readers) node.on.push_back(reader.node);
    return;
  }
  if (!writers_first) return;
  const std::vector<uint32_t>& writers = index_.WritersOf(node.lock.key);
  for (uint32_t writer : writers) {
    if (Node(writer).wait->timed) return;  // it may give up and let the reader in
  }
  if (writers.empty()) return;
  node.need = Need::kAny;
  node.on = writers;
  node.behind_writer = true;
}

void LockRequirement::ResolveSemaphore(uint32_t i) {
  ModelNode& node = Node(i);
  if (asking_) {
    ReadWord(node);
    if (node.word.shared || node.word.says == Says::kUnits) return;
    node.word_agrees = node.word.says == Says::kNoUnits;
  }
  WaitForAnyone(node);
  if (node.need == Need::kNothing) return;
  node.holders = index_.HoldersOf(node.lock.key);
  node.lock_like = node.lock.own_releases >= 1 && node.lock.foreign_releases == 0 &&
                   node.holders.size() == 1 && node.holders[0].hold->depth == 0 &&
                   node.holders[0].node != i;
}

}  // namespace lockwarden
