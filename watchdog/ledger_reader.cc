// LedgerReader: mapping and checking a ledger, and copying its threads out.
//
// The directory is copied once, in Check, and never read again: what was checked is
// what is used. Loads are acquire, also where thread_record.h asks for less: Q3 and Q5
// then cannot be reordered behind Q6, without a fence (which ThreadSanitizer does not
// understand); on x86 they cost the same.
//
// Must never: write, follow an index or offset that was not checked, or loop over a
// bound that the ledger could change under it.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "watchdog/snapshot.h"

namespace lockwarden {
namespace {

using ledger::Header;
using ledger::PackedRef;
using ledger::TableId;
using ledger::ThreadRecord;
using ledger::ThreadState;

constexpr int kCopyTries = 4;  // then the copy is called torn

uint32_t RecordSizeOf(TableId id) {
  switch (id) {
    case ledger::kThreads: return sizeof(ThreadRecord);
    case ledger::kLocks: return sizeof(ledger::LockRecord);
    case ledger::kClasses: return sizeof(ledger::LockClassRecord);
    case ledger::kEdges: return sizeof(ledger::OrderEdge);
    case ledger::kWitnesses: return sizeof(ledger::OrderWitness);
    case ledger::kModules: return sizeof(ledger::ModuleRecord);
    case ledger::kHeartbeats: return sizeof(ledger::HeartbeatRecord);
    case ledger::kMisuse: return sizeof(ledger::MisuseRecord);
    case ledger::kThreadLives: return sizeof(ledger::ThreadLife);
    case ledger::kNames: return 1;
    case ledger::kLockIndex:
    case ledger::kEdgeIndex:
    case ledger::kStackIndex:
    case ledger::kClassIndex:
    case ledger::kStacks: return sizeof(uint64_t);
    case ledger::kTableCount: break;
  }
  return 0;
}

bool IsIndexTable(TableId id) {
  return id == ledger::kLockIndex || id == ledger::kEdgeIndex || id == ledger::kStackIndex ||
         id == ledger::kClassIndex;
}

std::string FixedString(const char* text, size_t size) {
  return std::string(text, strnlen(text, size));
}

// Word by word, as the next owner of the slot wipes it while we look.
std::string NameOf(const ThreadRecord& record) {
  uint64_t words[sizeof(record.name) / sizeof(uint64_t)];
  for (size_t i = 0; i < std::size(words); ++i) {
    words[i] = record.name[i].load(std::memory_order_relaxed);  // for display: may be torn
  }
  return FixedString(reinterpret_cast<const char*>(words), sizeof(words));
}

// Acquire: pairs with whichever store of the writer's published the value (P2, P5, P6,
// T2); a plain statistic needs none and gets it all the same.
template <class T>
T Load(const std::atomic<T>& value) {
  return value.load(std::memory_order_acquire);  // as above
}

}  // namespace

absl::StatusOr<std::unique_ptr<LedgerReader>> LedgerReader::FromDescriptor(int fd) {
  struct Closer {
    int fd;
    ~Closer() { close(fd); }
  } closer{fd};
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ledger is not a memfd: ", std::strerror(errno)));
  }
  if ((seals & F_SEAL_SHRINK) == 0) {
    return absl::InvalidArgumentError("the ledger is not sealed against shrinking");
  }
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ledger's size cannot be read: ", std::strerror(errno)));
  }
  const uint64_t size = static_cast<uint64_t>(status.st_size);
  if (size < ledger::kPageSize) {
    return absl::InvalidArgumentError(absl::StrCat("the ledger has only ", size, " bytes"));
  }
  void* base = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ledger cannot be mapped: ", std::strerror(errno)));
  }
  std::unique_ptr<LedgerReader> reader(new LedgerReader);
  reader->base_ = static_cast<const char*>(base);
  reader->size_ = size;
  reader->owned_ = true;
  if (absl::Status status_of_check = reader->Check(); !status_of_check.ok()) {
    return status_of_check;
  }
  return reader;
}

absl::StatusOr<std::unique_ptr<LedgerReader>> LedgerReader::FromMemory(const void* base,
                                                                       uint64_t size) {
  if (base == nullptr || reinterpret_cast<uint64_t>(base) % alignof(ThreadRecord) != 0) {
    return absl::InvalidArgumentError("the ledger is not aligned");
  }
  std::unique_ptr<LedgerReader> reader(new LedgerReader);
  reader->base_ = static_cast<const char*>(base);
  reader->size_ = size;
  if (absl::Status status = reader->Check(); !status.ok()) return status;
  return reader;
}

LedgerReader::~LedgerReader() {
  if (owned_) munmap(const_cast<char*>(base_), size_);
}

const Header& LedgerReader::header() const { return *reinterpret_cast<const Header*>(base_); }

absl::Status LedgerReader::Check() {
  if (size_ < std::max<uint64_t>(sizeof(Header), ledger::kPageSize)) {
    return absl::InvalidArgumentError(absl::StrCat("the ledger has only ", size_, " bytes"));
  }
  const Header& h = header();
  if (std::memcmp(h.magic, ledger::kMagic, sizeof(h.magic)) != 0) {
    return absl::InvalidArgumentError("not a ledger: the magic is missing");
  }
  if (h.layout_version != ledger::kLayoutVersion) {
    return absl::InvalidArgumentError(absl::StrCat("the ledger has layout version ",
                                                   h.layout_version, "; this reader knows version ",
                                                   ledger::kLayoutVersion));
  }
  if (h.header_size != sizeof(Header) || h.table_count != ledger::kTableCount ||
      h.total_size > size_) {
    return absl::InvalidArgumentError("the ledger's header makes no sense");
  }
  for (uint32_t i = 0; i < ledger::kTableCount; ++i) {
    const auto id = static_cast<TableId>(i);
    const TableView view{h.tables[i].offset, h.tables[i].record_size, h.tables[i].capacity};
    // Products of two 32-bit numbers: no overflow in 64 bits.
    const uint64_t bytes = uint64_t{view.record_size} * view.capacity;
    if (view.record_size != RecordSizeOf(id) || view.offset % ledger::kPageSize != 0 ||
        view.offset < ledger::kPageSize || view.offset > size_ || bytes > size_ - view.offset) {
      return absl::InvalidArgumentError(
          absl::StrCat("the ledger's table of ", ledger::TableName(id), " makes no sense"));
    }
    tables_[i] = view;
  }
  identity_.image_id[0] = h.image_id[0];
  identity_.image_id[1] = h.image_id[1];
  identity_.ledger_pid = h.pid;
  identity_.parent_pid = h.parent_pid;
  identity_.start_ticks = h.process_start_ticks;
  identity_.clock_monotonic_ns = h.clock_monotonic_ns;
  identity_.clock_realtime_ns = h.clock_realtime_ns;
  identity_.flags = h.flags;
  identity_.program = FixedString(h.program, sizeof(h.program));
  if (identity_.program.empty()) identity_.program = FixedString(h.comm, sizeof(h.comm));
  return absl::OkStatus();
}

uint32_t LedgerReader::Used(TableId id) const {
  return std::min(Load(header().tables[id].used), tables_[id].capacity);
}

bool LedgerReader::IsLock(PackedRef ref) const {
  return ledger::IndexOf(ref) < Used(ledger::kLocks);
}

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
    case ledger::Mode::kUnowned: return IsLock(ref);
    case ledger::Mode::kNone: break;
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
    held.depth = Load(entry.depth);
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

Snapshot LedgerReader::Take() const {
  const Header& h = header();
  Snapshot s;
  s.process = identity_;
  s.process.flags = h.flags;
  s.candidates = Load(h.candidates);
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
  const uint32_t slots = Used(ledger::kThreads);
  for (uint32_t slot = 0; slot < slots; ++slot) {
    if (ledger::StateOf(Load(Record<ThreadRecord>(ledger::kThreads, slot)->state)) ==
        ThreadState::kFree) {
      continue;
    }
    ThreadInfo thread = Thread(slot);
    if (thread.state == ThreadState::kFree) continue;
    s.acquisitions += thread.acquisitions;
    s.contentions += thread.contentions;
    s.wait_ns += thread.wait_ns;
    s.held_dropped += thread.held_dropped;
    s.nested_dropped += thread.nested_dropped;
    s.stack_failures += thread.stack_failures;
    s.threads.push_back(std::move(thread));
  }
  s.heartbeats = Heartbeats();
  s.locks_tracked = Used(ledger::kLocks);
  s.lock_classes = Used(ledger::kClasses);
  s.order_edges = Used(ledger::kEdges);
  for (uint32_t i = 0; i < ledger::kTableCount; ++i) {
    const auto id = static_cast<TableId>(i);
    if (IsIndexTable(id)) continue;
    s.tables.push_back(
        {ledger::TableName(id), tables_[i].capacity, Used(id), Load(h.tables[i].dropped)});
  }
  s.rejected = rejected_;
  return s;
}

}  // namespace lockwarden
