// The ledger: one shared-memory segment (a memfd) per process image, which the
// recorder writes and everybody else reads.
//
//   offset 0   Header: identity, clock, table directory, counters
//   then       one region a table, page-aligned, in the order of TableId
//
// Written by: the recorder, inside the program. Read by: the supervisor, the
// exporter, `top`, a helper; read-only, through watchdog/snapshot.h.
// Must never: be believed. The program may be corrupting its own memory, so a
// reader checks every index, count, offset and string against the capacities
// that it has itself checked against the segment's size.
//
// Compatibility: kLayoutVersion changes with any change of a layout; a reader
// that meets another version says so in one line and does not guess.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/growing_index.h"
#include "runtime/lock_record.h"
#include "runtime/order_edge.h"
#include "runtime/tables.h"
#include "runtime/thread_life.h"
#include "runtime/thread_record.h"

namespace lockwarden::ledger {

inline constexpr char kMagic[8] = {'L', 'K', 'W', 'A', 'R', 'D', 'E', 'N'};
inline constexpr uint32_t kLayoutVersion = 3;
inline constexpr uint64_t kPageSize = 4096;

enum TableId : uint32_t {
  kThreads = 0,   // ThreadRecord
  kLocks = 1,     // LockRecord
  kLockIndex = 2,  // growing index: address -> lock
  kClasses = 3,   // LockClassRecord
  kEdges = 4,     // OrderEdge
  kEdgeIndex = 5,  // growing index: (from, to) -> edge
  kWitnesses = 6,  // OrderWitness
  kStacks = 7,    // uint64_t words, see tables.h
  kStackIndex = 8,  // growing index: hash of pcs -> stack
  kModules = 9,   // ModuleRecord
  kNames = 10,    // bytes, see tables.h
  kHeartbeats = 11,  // HeartbeatRecord
  kMisuse = 12,   // MisuseRecord
  kClassIndex = 13,  // growing index: site -> class
  kThreadLives = 14,  // ThreadLife, at the thread's serial - 1
  kThreadEdges = 15,  // OrderEdge with a thread at one end or both
  kThreadEdgeIndex = 16,  // growing index: (from, to) -> thread edge
  kTableCount = 17,
};
const char* TableName(TableId id);  // "threads", "locks", ...: for metrics and reports

struct TableDirectoryEntry {
  uint64_t offset = 0;       // from the start of the segment; page-aligned
  uint32_t record_size = 0;  // bytes
  uint32_t capacity = 0;     // records
  std::atomic<uint32_t> used{0};  // records handed out: the reader takes min(used, capacity)
  std::atomic<uint32_t> reserved{0};
  std::atomic<uint64_t> dropped{0};  // records refused because the table was full
};
static_assert(sizeof(TableDirectoryEntry) == 32);

enum HeaderFlag : uint32_t {
  kStacksFull = 1u << 0,   // stacks=full
  kStacksSite = 1u << 1,   // stacks=site
  kLinked = 1u << 2,       // the recorder is the linked library's, not the preload's
  kSteppedAside = 1u << 3,  // recording was given up; the reason is in `step_aside`
  kForkedChild = 1u << 4,  // this image began as a fork, without exec
};

struct Header {
  // Written before the segment is handed over, then never again.
  char magic[8] = {};
  uint32_t layout_version = 0;
  uint32_t header_size = 0;
  uint64_t total_size = 0;
  uint64_t image_id[2] = {};          // random, one per exec or fork image
  uint32_t pid = 0;                   // in the process's own pid namespace
  uint32_t parent_pid = 0;
  uint64_t process_start_ticks = 0;   // field 22 of /proc/self/stat
  uint64_t clock_monotonic_ns = 0;    // both clocks, read together
  uint64_t clock_realtime_ns = 0;
  uint32_t flags = 0;                 // HeaderFlag; kSteppedAside may be set later
  uint32_t table_count = 0;
  char program[256] = {};             // /proc/self/exe, cut to fit
  char comm[16] = {};

  // Written by any thread of the program.
  std::atomic<uint32_t> step_aside{0};         // name offset of the reason; 0: recording
  std::atomic<uint32_t> candidates{0};         // a blocking thread saw a cycle close; also the
                                               // futex word a reader may sleep on
  std::atomic<uint32_t> next_thread_serial{1};
  std::atomic<uint32_t> module_generation{0};  // moves when a library is unloaded
  std::atomic<uint64_t> next_lock_serial{1};
  // Sums over threads whose slots were reused; the live ones are in their records.
  std::atomic<uint64_t> past_acquisitions{0};
  std::atomic<uint64_t> past_contentions{0};
  std::atomic<uint64_t> past_wait_ns{0};
  std::atomic<uint64_t> past_held_dropped{0};
  std::atomic<uint64_t> past_stack_failures{0};
  std::atomic<uint64_t> past_nested_dropped{0};
  std::atomic<uint64_t> threads_started{0};
  std::atomic<uint64_t> threads_exited{0};
  std::atomic<uint64_t> unrecorded_calls{0};   // hooks that ran without a thread record
  std::atomic<uint64_t> fork_drops{0};         // forked children that could not be recorded
  std::atomic<uint64_t> exec_drops{0};         // exec calls that dropped the preload
  std::atomic<uint64_t> broken{0};             // waits that were refused since they closed a cycle
  std::atomic<uint32_t> breaking{0};           // whose wait is being refused; see cycle.h
  std::atomic<uint32_t> reserved{0};
  ClassTotals without_class;                   // of locks that found the table of classes full

  TableDirectoryEntry tables[kTableCount];
};
static_assert(sizeof(Header) <= kPageSize);

// Capacities for a segment. Scaled(n) divides every table by 2^n, for programs
// that live under a small RLIMIT_AS or RLIMIT_FSIZE.
struct Capacities {
  uint32_t threads = 16384;
  uint32_t locks = 1u << 21;
  uint32_t classes = 1u << 17;
  uint32_t edges = 1u << 20;
  uint32_t witnesses = 1u << 20;
  uint32_t stack_words = 1u << 23;
  uint32_t modules = 4096;
  uint32_t name_bytes = 1u << 22;
  uint32_t heartbeats = 4096;
  uint32_t misuse = 8192;
  uint32_t thread_lives = 1u << 20;
  uint32_t thread_edges = 1u << 18;
  Capacities Scaled(uint32_t shift) const;
};

// Addresses inside a mapped segment. Trusts the directory: for the recorder, which
// wrote it. Readers use watchdog/snapshot.h, which checks first. Thread-safe.
class Ledger {
 public:
  Ledger() = default;
  explicit Ledger(void* base) : base_(static_cast<char*>(base)) {}

  // Bytes a segment of these capacities takes.
  static uint64_t SizeFor(const Capacities& capacities);
  // Fills in magic, version, sizes and directory of a zeroed segment of SizeFor bytes.
  static void Format(void* base, const Capacities& capacities);

  bool mapped() const { return base_ != nullptr; }
  void* base() const { return base_; }
  Header& header() const { return *reinterpret_cast<Header*>(base_); }
  template <class T>
  T* Table(TableId id) const {
    return reinterpret_cast<T*>(base_ + header().tables[id].offset);
  }
  uint32_t Capacity(TableId id) const { return header().tables[id].capacity; }
  GrowingIndex Index(TableId id) const {
    return GrowingIndex(Table<std::atomic<uint64_t>>(id), Capacity(id));
  }
  // Hands out the next record of a table, or kNoIndex and counts the drop.
  uint32_t Allocate(TableId id, uint32_t count = 1) const;

 private:
  char* base_ = nullptr;
};

// What the recorder sends, with the memfd as SCM_RIGHTS, to the socket named in the
// environment; one SOCK_SEQPACKET message, then it closes both descriptors.
struct Hello {
  char magic[8] = {};
  uint32_t layout_version = 0;
  uint32_t pid = 0;
  uint64_t ledger_size = 0;
  uint64_t image_id[2] = {};
  char token[32] = {};  // as found in LOCKWARDEN_SOCKET: tells this run's programs from others
};

// Sent there instead by a process that has stepped aside: no ledger, but it is counted.
inline constexpr char kNoticeMagic[8] = {'L', 'K', 'W', 'A', 'S', 'I', 'D', 'E'};
struct StepAsideNotice {
  char magic[8] = {};
  uint32_t layout_version = 0;
  uint32_t pid = 0;
  char token[32] = {};
  char reason[96] = {};  // NUL-terminated
};

// LOCKWARDEN_SOCKET="TOKEN:PATH": 32 hexadecimal digits, a colon, and the path of a
// SOCK_SEQPACKET Unix socket. The same name is also bound in the abstract namespace
// (for programs that chroot); the recorder tries the path first.
// Beside it, PATH with this ending: a file of at least 8 bytes that holds a 64-bit count of
// processes which stepped aside and could not risk a socket.
inline constexpr char kTallyEnding[] = ".aside";
inline constexpr char kSocketVariable[] = "LOCKWARDEN_SOCKET";
inline constexpr char kOptionsVariable[] = "LOCKWARDEN_OPTIONS";

}  // namespace lockwarden::ledger
