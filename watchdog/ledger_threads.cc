// LedgerReader: copying threads out.
//
// Loads are acquire, also where thread_record.h asks for less: Q3 and Q5 then cannot be
// reordered behind Q6, without a fence (which ThreadSanitizer does not understand); on x86
// they cost the same.
//
// Must never: write, follow an index or offset that was not checked, or loop over a
// bound that the ledger could change under it.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>

#include "watchdog/snapshot.h"

namespace lockwarden {
namespace {

using ledger::Header;
using ledger::PackedRef;
using ledger::TableId;
using ledger::ThreadRecord;
using ledger::ThreadState;

constexpr int kCopyTries = 4;  // then the copy is called torn

bool IsIndexTable(TableId id) {
  return id == ledger::kLockIndex || id == ledger::kEdgeIndex || id == ledger::kStackIndex ||
         id == ledger::kClassIndex || id == ledger::kThreadEdgeIndex;
}

// Acquire: pairs with whichever store of the writer's published the value (P2, P5, P6,
// T2); a plain statistic needs none and gets it all the same.
template <class T>
T Load(const std::atomic<T>& value) {
  return value.load(std::memory_order_acquire);  // as above
}

// Word by word, as the next owner of the slot wipes it while we look.
std::string NameOf(const ThreadRecord& record) {
  uint64_t words[sizeof(record.name) / sizeof(uint64_t)];
  for (size_t i = 0; i < std::size(words); ++i) {
    words[i] = record.name[i].load(std::memory_order_relaxed);  // for display: may be torn
  }
  const char* text = reinterpret_cast<const char*>(words);
  return std::string(text, strnlen(text, sizeof(words)));
}

// Of every word that moves when what is copied does, but for depths. Never 0.
uint64_t StampOf(const ThreadRecord& record) {
  uint64_t stamp = 0;
  const auto add = [&](uint64_t word) {
    stamp = (stamp ^ word) * 0x9e3779b97f4a7c15u;  // odd, so that no bit is lost
    stamp ^= stamp >> 32;
  };
  add(Load(record.acquisitions));
  add(Load(record.waits));
  add(uint64_t{Load(record.state)} << 32 | Load(record.serial));
  for (uint32_t i = 0; i < ledger::kFrames; ++i) {
    const ledger::Frame& frame = record.FrameAt(i);
    add(Load(frame.wait.wait));
    add(uint64_t{Load(frame.wait.spins)} << 32 | Load(frame.held_count));
  }
  add(Load(record.contentions));
  add(Load(record.wait_ns));
  add(Load(record.name[0]));
  add(Load(record.name[1]));
  add(uint64_t{Load(record.flags)} << 32 | Load(record.exit_stack));
  add(uint64_t{Load(record.exempt)} << 32 | Load(record.tid));
  add(Load(record.held_dropped) + Load(record.nested_dropped) + Load(record.stack_failures));
  return stamp | 1;
}

}  // namespace

bool LedgerReader::ParseWait(PackedRef ref, Wait* out) const {
  out->mode = ledger::ModeOf(ref);
  out->timed = (ledger::ModeBitsOf(ref) & ledger::kTimed) != 0;
  out->lock = {ledger::IndexOf(ref), ledger::GenerationOf(ref)};
  switch (out->mode) {
    case ledger::Mode::kJoin:
      return out->lock.index == ledger::kNoIndex || out->lock.index < Used(ledger::kThreads);
    case ledger::Mode::kExclusive:
    case ledger::Mode::kShared:
    case ledger::Mode::kUpgrade:
    case ledger::Mode::kUnit:
    case ledger::Mode::kSignal:
    case ledger::Mode::kArrive:
    case ledger::Mode::kUnowned:
      return IsLock(ref);
    case ledger::Mode::kNone:
      break;
  }
  return false;
}

// Where a wait without details came from stands in the hold that is being acquired.
void LedgerReader::TakeDetailsFromHold(const ThreadRecord& record, PackedRef wait_ref,
                                       Wait* wait) const {
  wait->site = wait->stack = 0;
  const uint32_t count = Load(record.FrameAt(wait->frame).held_count);
  if (count >= ledger::kHeldCapacity[wait->frame]) return;
  const ledger::HeldEntry& entry = record.held[ledger::kHeldBegin[wait->frame] + count];
  if (Load(entry.lock) != wait_ref) return;
  wait->site = Load(entry.site);
  wait->stack = Load(entry.stack);
}

// One frame's wait and held list. False: it changed meanwhile.
bool LedgerReader::CopyFrame(const ThreadRecord& record, uint32_t index, ThreadInfo* out) const {
  const ledger::Frame& frame = record.FrameAt(index);
  const PackedRef wait_ref = Load(frame.wait.wait);  // Q2
  if (wait_ref != 0) {
    Wait wait;
    wait.peer = Load(frame.wait.peer);  // Q3, and so to the stack
    wait.object = Load(frame.wait.object);
    wait.site = Load(frame.wait.site);
    wait.since_ns = Load(frame.wait.since_ns);
    wait.stack = Load(frame.wait.stack);
    wait.spins = Load(frame.wait.spins);
    wait.frame = index;
    if (wait.since_ns == 0) TakeDetailsFromHold(record, wait_ref, &wait);
    if (ParseWait(wait_ref, &wait)) {
      if (wait.mode == ledger::Mode::kSignal && wait.peer != 0) {
        if (IsLock(wait.peer)) {
          wait.mutex = {ledger::IndexOf(wait.peer), ledger::GenerationOf(wait.peer)};
        } else {
          ++rejected_;
        }
      }
      out->waits.push_back(wait);
    } else {
      ++rejected_;
    }
  }
  const uint32_t count = Load(frame.held_count);  // Q4
  if (count > ledger::kHeldCapacity[index]) ++rejected_;
  const uint32_t entries = std::min(count, ledger::kHeldCapacity[index]);
  for (uint32_t i = 0; i < entries; ++i) {
    const ledger::HeldEntry& entry = record.held[ledger::kHeldBegin[index] + i];
    const PackedRef ref = Load(entry.lock);  // Q5, and so to the depth
    if (ref == 0) continue;                  // being rewritten
    HeldLock held;
    held.mode = ledger::ModeOf(ref);
    if (held.mode == ledger::Mode::kNone || held.mode > ledger::Mode::kUnit || !IsLock(ref)) {
      ++rejected_;
      continue;
    }
    held.lock = {ledger::IndexOf(ref), ledger::GenerationOf(ref)};
    held.timed = (ledger::ModeBitsOf(ref) & ledger::kTimed) != 0;
    held.tried = (ledger::ModeBitsOf(ref) & ledger::kTry) != 0;
    held.inherited = (ledger::ModeBitsOf(ref) & ledger::kInherited) != 0;
    held.site = Load(entry.site);
    held.stack = Load(entry.stack);
    held.depth = Load(entry.depth) & ~ledger::kHoldTimed;
    held.frame = index;
    out->held.push_back(held);
  }
  // A release moves no counter, only the count.
  return Load(frame.held_count) == count && Load(frame.wait.wait) == wait_ref;
}

// False: it changed while it was copied, and *out is a mixture.
bool LedgerReader::CopyThread(uint32_t slot, ThreadInfo* out) const {
  const ThreadRecord& record = *Record<ThreadRecord>(ledger::kThreads, slot);
  *out = ThreadInfo();
  out->slot = slot;
  const uint64_t stamp = StampOf(record);  // before all that it stands for
  const uint32_t state = Load(record.state);
  if (ledger::StateOf(state) > ThreadState::kExiting) {
    ++rejected_;
    return true;
  }
  out->state = ledger::StateOf(state);
  if (out->state == ThreadState::kFree) return true;
  out->serial = Load(record.serial);
  out->acquisitions = Load(record.acquisitions);  // Q1
  out->waits_begun = Load(record.waits);          // Q1
  bool stable = true;
  for (uint32_t frame = 0; frame < ledger::kFrames; ++frame) {
    stable &= CopyFrame(record, frame, out);
  }
  out->tid = Load(record.tid);
  out->creator_serial = Load(record.creator_serial);
  out->exempt = Load(record.exempt) != 0;
  out->name = NameOf(record);
  out->joined = (Load(record.flags) & ledger::kThreadJoined) != 0;
  out->exit_stack = Load(record.exit_stack);
  out->pthread_self = Load(record.pthread_self);
  out->start_routine = Load(record.start_routine);
  out->created_ns = Load(record.created_ns);
  out->contentions = Load(record.contentions);
  out->wait_ns = Load(record.wait_ns);
  out->held_dropped = Load(record.held_dropped);
  out->nested_dropped = Load(record.nested_dropped);
  out->stack_failures = Load(record.stack_failures);
  const bool nested = std::any_of(out->held.begin(), out->held.end(),
                                  [](const HeldLock& held) { return held.depth != 0; });
  if (stable && !nested) out->stamp = stamp;
  return stable && Load(record.acquisitions) == out->acquisitions &&  // Q6
         Load(record.waits) == out->waits_begun &&                    // Q6
         Load(record.serial) == out->serial && Load(record.state) == state;
}

ThreadInfo LedgerReader::Thread(uint32_t slot) const {
  ThreadInfo info;
  info.slot = slot;
  if (slot >= Used(ledger::kThreads)) return info;
  const uint64_t rejected_before = rejected_;
  for (int i = 0; i < kCopyTries; ++i) {
    rejected_ = rejected_before;  // count what the last copy met, not each try
    if (CopyThread(slot, &info)) return info;
  }
  info.torn = true;
  return info;
}

void LedgerReader::TakeHeader(Snapshot* snapshot) const {
  const Header& h = header();
  Snapshot& s = *snapshot;
  s.process = identity_;
  s.process.flags = h.flags;
  s.candidates = Load(h.candidates);
  s.broken = Load(h.broken);
  s.acquisitions = Load(h.past_acquisitions);
  s.contentions = Load(h.past_contentions);
  s.wait_ns = Load(h.past_wait_ns);
  s.threads_started = Load(h.threads_started);
  s.threads_exited = Load(h.threads_exited);
  s.held_dropped = Load(h.past_held_dropped);
  s.nested_dropped = Load(h.past_nested_dropped);
  s.stack_failures = Load(h.past_stack_failures);
  s.unrecorded_calls = Load(h.unrecorded_calls);
  s.exec_drops = Load(h.exec_drops);
  s.fork_drops = Load(h.fork_drops);
  s.stepped_aside = Name(Load(h.step_aside));
}

void LedgerReader::TakeTables(Snapshot* snapshot) const {
  Snapshot& s = *snapshot;
  for (const ThreadInfo& thread : s.threads) {
    s.acquisitions += thread.acquisitions;
    s.contentions += thread.contentions;
    s.wait_ns += thread.wait_ns;
    s.held_dropped += thread.held_dropped;
    s.nested_dropped += thread.nested_dropped;
    s.stack_failures += thread.stack_failures;
  }
  s.heartbeats = Heartbeats();
  s.locks_tracked = Used(ledger::kLocks);
  s.lock_classes = Used(ledger::kClasses);
  s.order_edges = Used(ledger::kEdges);
  s.thread_edges = Used(ledger::kThreadEdges);
  s.tables.clear();
  for (uint32_t i = 0; i < ledger::kTableCount; ++i) {
    const auto id = static_cast<TableId>(i);
    if (IsIndexTable(id)) continue;
    s.tables.push_back(
        {ledger::TableName(id), tables_[i].capacity, Used(id), Load(header().tables[i].dropped)});
  }
  s.rejected = rejected_;
}

Snapshot LedgerReader::Take() const {
  Snapshot snapshot;
  Refresh(&snapshot);
  return snapshot;
}

void LedgerReader::Refresh(Snapshot* snapshot) const {
  TakeHeader(snapshot);
  std::vector<ThreadInfo>& threads = snapshot->threads;
  std::vector<ThreadInfo> born;  // slots that were free, or not there, when it was taken
  const size_t before = threads.size();
  bool fresh = false;
  size_t at = 0, kept = 0;
  const uint32_t slots = Used(ledger::kThreads);
  for (uint32_t slot = 0; slot < slots; ++slot) {
    const ThreadRecord& record = *Record<ThreadRecord>(ledger::kThreads, slot);
    const bool known = at < threads.size() && threads[at].slot == slot;
    const size_t old = at;
    at += known;
    if (ledger::StateOf(Load(record.state)) == ThreadState::kFree) continue;
    if (known && threads[old].stamp != 0 && threads[old].stamp == StampOf(record)) {
      threads[old].fresh = false;
    } else {
      ThreadInfo thread = Thread(slot);
      if (thread.state == ThreadState::kFree) continue;
      fresh = true;
      if (!known) {
        born.push_back(std::move(thread));
        continue;
      }
      threads[old] = std::move(thread);
    }
    if (kept != old) threads[kept] = std::move(threads[old]);
    ++kept;
  }
  snapshot->moved = fresh || kept != before;
  snapshot->moves += snapshot->moved ? 1 : 0;
  threads.resize(kept);
  std::move(born.begin(), born.end(), std::back_inserter(threads));
  std::inplace_merge(threads.begin(), threads.begin() + static_cast<std::ptrdiff_t>(kept),
                     threads.end(),
                     [](const ThreadInfo& a, const ThreadInfo& b) { return a.slot < b.slot; });
  TakeTables(snapshot);
}

}  // namespace lockwarden
