// Lays the tables out in a fresh segment. Runs once an image, before anybody else
// can see the segment; allocates nothing.
#include "runtime/ledger.h"

namespace lockwarden::ledger {
namespace {

struct Region {
  uint64_t record_size;
  uint32_t capacity;
};

Region RegionOf(TableId id, const Capacities& c) {
  switch (id) {
    case kThreads: return {sizeof(ThreadRecord), c.threads};
    case kLocks: return {sizeof(LockRecord), c.locks};
    case kLockIndex: return {sizeof(uint64_t), GrowingIndex::CapacityFor(c.locks)};
    case kClasses: return {sizeof(LockClassRecord), c.classes};
    case kEdges: return {sizeof(OrderEdge), c.edges};
    case kEdgeIndex: return {sizeof(uint64_t), GrowingIndex::CapacityFor(c.edges)};
    case kWitnesses: return {sizeof(OrderWitness), c.witnesses};
    case kStacks: return {sizeof(uint64_t), c.stack_words};
    // A stack is at least 2 words; most have 8 to 20 pcs.
    case kStackIndex: return {sizeof(uint64_t), GrowingIndex::CapacityFor(c.stack_words / 8)};
    case kModules: return {sizeof(ModuleRecord), c.modules};
    case kNames: return {1, c.name_bytes};
    case kHeartbeats: return {sizeof(HeartbeatRecord), c.heartbeats};
    case kMisuse: return {sizeof(MisuseRecord), c.misuse};
    case kClassIndex: return {sizeof(uint64_t), GrowingIndex::CapacityFor(c.classes)};
    case kThreadLives: return {sizeof(ThreadLife), c.thread_lives};
    case kThreadEdges: return {sizeof(OrderEdge), c.thread_edges};
    case kThreadEdgeIndex: return {sizeof(uint64_t), GrowingIndex::CapacityFor(c.thread_edges)};
    case kTableCount: break;
  }
  return {0, 0};
}

uint64_t RoundUp(uint64_t bytes) { return (bytes + kPageSize - 1) & ~(kPageSize - 1); }

}  // namespace

const char* TableName(TableId id) {
  switch (id) {
    case kThreads: return "threads";
    case kLocks: return "locks";
    case kLockIndex: return "lock_index";
    case kClasses: return "classes";
    case kEdges: return "edges";
    case kEdgeIndex: return "edge_index";
    case kWitnesses: return "witnesses";
    case kStacks: return "stacks";
    case kStackIndex: return "stack_index";
    case kModules: return "modules";
    case kNames: return "names";
    case kHeartbeats: return "heartbeats";
    case kMisuse: return "misuse";
    case kClassIndex: return "class_index";
    case kThreadLives: return "thread_lives";
    case kThreadEdges: return "thread_edges";
    case kThreadEdgeIndex: return "thread_edge_index";
    case kTableCount: break;
  }
  return "unknown";
}

Capacities Capacities::Scaled(uint32_t shift) const {
  Capacities c = *this;
  for (uint32_t* field : {&c.threads, &c.locks, &c.classes, &c.edges, &c.witnesses,
                          &c.stack_words, &c.modules, &c.name_bytes, &c.heartbeats, &c.misuse,
                          &c.thread_lives, &c.thread_edges}) {
    *field >>= shift;
    if (*field < 64) *field = 64;
  }
  return c;
}

uint64_t Ledger::SizeFor(const Capacities& capacities) {
  uint64_t size = RoundUp(sizeof(Header));
  for (uint32_t id = 0; id < kTableCount; ++id) {
    const Region region = RegionOf(static_cast<TableId>(id), capacities);
    size += RoundUp(region.record_size * region.capacity);
  }
  return size;
}

void Ledger::Format(void* base, const Capacities& capacities) {
  Header& header = *static_cast<Header*>(base);
  for (uint32_t i = 0; i < sizeof(kMagic); ++i) header.magic[i] = kMagic[i];
  header.layout_version = kLayoutVersion;
  header.header_size = sizeof(Header);
  header.table_count = kTableCount;
  // A fresh segment is zero; these counters begin elsewhere. Relaxed: nobody else
  // has seen the segment yet, and handing it over orders everything.
  header.next_thread_serial.store(1, std::memory_order_relaxed);
  header.next_lock_serial.store(1, std::memory_order_relaxed);
  uint64_t offset = RoundUp(sizeof(Header));
  for (uint32_t id = 0; id < kTableCount; ++id) {
    const Region region = RegionOf(static_cast<TableId>(id), capacities);
    TableDirectoryEntry& entry = header.tables[id];
    entry.offset = offset;
    entry.record_size = static_cast<uint32_t>(region.record_size);
    entry.capacity = region.capacity;
    offset += RoundUp(region.record_size * region.capacity);
  }
  // Offset 0 of these two means "none".
  header.tables[kNames].used.store(1, std::memory_order_relaxed);   // as above
  header.tables[kStacks].used.store(1, std::memory_order_relaxed);  // as above
  header.total_size = offset;
}

uint32_t Ledger::Allocate(TableId id, uint32_t count) const {
  TableDirectoryEntry& entry = header().tables[id];
  // Relaxed: a record is published by its own `ready` or by the index slot that
  // names it (I1), never by this count alone.
  uint32_t used = entry.used.load(std::memory_order_relaxed);
  do {
    if (used > entry.capacity || entry.capacity - used < count) {
      entry.dropped.fetch_add(1, std::memory_order_relaxed);  // as above: a statistic
      return kNoIndex;
    }
  } while (!entry.used.compare_exchange_weak(used, used + count, std::memory_order_relaxed));
  return used;
}

}  // namespace lockwarden::ledger
