// Edges and witnesses: the slow half of lock order.
#include "runtime/lock_order.h"

#include "runtime/stack_capture.h"
#include "runtime/this_clock.h"
#include "runtime/thread_life.h"

namespace lockwarden::ledger {
namespace {

uint64_t HashOf(PackedRef from, PackedRef to) { return MixHash(from ^ MixHash(to)); }

// What is handed over between threads is no lock, be it a semaphore or a mutex that others
// unlock: its "holders" say nothing.
bool Orders(const Ledger& ledger, PackedRef held) {
  // Relaxed: a hint; the reader looks again.
  return ledger.Table<LockRecord>(kLocks)[IndexOf(held)].foreign_releases.load(
             std::memory_order_relaxed) == 0;
}

// Null when the table is full.
OrderEdge* FindOrAddEdge(const Ledger& ledger, PackedRef from, PackedRef to) {
  const bool of_thread = IsThreadIndex(IndexOf(from)) || IsThreadIndex(IndexOf(to));
  const TableId table = of_thread ? kThreadEdges : kEdges;
  const TableId table_index = of_thread ? kThreadEdgeIndex : kEdgeIndex;
  OrderEdge* edges = ledger.Table<OrderEdge>(table);
  const uint64_t hash = HashOf(from, to);
  const auto same = [&](uint32_t index) {
    // Relaxed: written before the slot that led here was published (I1/I2).
    return edges[index].from.load(std::memory_order_relaxed) == from &&
           edges[index].to.load(std::memory_order_relaxed) == to;
  };
  const GrowingIndex index = ledger.Index(table_index);
  uint32_t edge = index.Find(hash, same);
  if (edge != GrowingIndex::kNotFound) return &edges[edge];
  edge = ledger.Allocate(table);
  if (edge == kNoIndex) return nullptr;
  // Relaxed: published by the index slot (I1) and by `ready`.
  edges[edge].from.store(from, std::memory_order_relaxed);
  edges[edge].to.store(to, std::memory_order_relaxed);                    // as above
  edges[edge].first_ns.store(MonotonicNs(), std::memory_order_relaxed);  // as above
  const uint32_t winner = index.Insert(hash, edge, same);
  if (winner == GrowingIndex::kFull) {
    // Relaxed: a statistic. The edge is out of the index but in the table: readers walk
    // the table, so it still counts; it may come twice.
    ledger.header().tables[table_index].dropped.fetch_add(1, std::memory_order_relaxed);
  } else if (winner != edge) {
    // Lost the race: this record stays without a witness, which a reader skips.
    edges[edge].ready.store(1, std::memory_order_release);  // pairs with the reader's acquire
    return &edges[winner];
  }
  return &edges[edge];
}

uint32_t SignatureOf(const OrderWitness& witness) {
  uint64_t hash = MixHash(uint64_t{witness.thread_serial} << 32 | uint64_t{witness.from_mode} << 16 |
                          uint64_t{witness.to_mode} << 8 | witness.gate_count);
  for (uint32_t i = 0; i < witness.gate_count; ++i) hash = MixHash(hash ^ witness.gates[i]);
  return static_cast<uint32_t>(hash) | 1u;  // never 0, which is "none"
}

void AddWitness(const Ledger& ledger, OrderEdge* edge, const OrderWitness& witness) {
  constexpr uint32_t kTimesApart = 2;  // witnesses of one thread that differ in time only
  const uint32_t signature = SignatureOf(witness);
  uint32_t times = 0;
  OrderWitness* last = nullptr;
  for (uint32_t place = 0; place < kWitnessesPerEdge; ++place) {
    if (edge->signature[place].load(std::memory_order_relaxed) != signature) continue;  // a hint
    // Acquire: pairs with W1, should the signature be another thread's.
    const uint32_t index = edge->witness[place].load(std::memory_order_acquire);
    if (index == 0) return;
    OrderWitness* known = &ledger.Table<OrderWitness>(kWitnesses)[index - 1];
    if (known->thread_serial != witness.thread_serial) continue;
    last = known;
    ++times;
  }
  // Relaxed: only grows; a stale count costs one comparison more.
  const uint32_t count = edge->witness_count.load(std::memory_order_relaxed);
  if (last != nullptr) {
    if (last->last_clock.Get() == witness.first_clock) return;
    if (times >= kTimesApart || count >= kWitnessesPerEdge) {
      return last->last_clock.Set(witness.first_clock);
    }
  }
  if (count > kWitnessesPerEdge) return;
  // Relaxed: hands out the places; the content is published by W1.
  const uint32_t place = edge->witness_count.fetch_add(1, std::memory_order_relaxed);
  if (place >= kWitnessesPerEdge) return;  // counted by witness_count itself
  edge->signature[place].store(signature, std::memory_order_relaxed);  // a hint
  const uint32_t index = ledger.Allocate(kWitnesses);
  if (index == kNoIndex) return;
  ledger.Table<OrderWitness>(kWitnesses)[index] = witness;
  // W1, release: pairs with the reader's acquire; the witness is whole.
  edge->witness[place].store(index + 1, std::memory_order_release);
}

constexpr uint32_t kNobody = kNoIndex;

// What else is held: the gates of a witness.
void NoteHeld(const HeldEntry* const* held, uint32_t count, uint32_t beyond, uint32_t but,
              OrderWitness* witness) {
  uint32_t gates = 0, dropped = beyond;
  for (uint32_t g = 0; g < count; ++g) {
    if (g == but) continue;
    if (gates == kGatesPerWitness) {
      ++dropped;
    } else {
      witness->gates[gates++] = held[g]->lock.load(std::memory_order_relaxed);  // own record
    }
  }
  witness->gate_count = static_cast<uint8_t>(gates);
  witness->gates_dropped = static_cast<uint8_t>(dropped > 255 ? 255 : dropped);
}

void AddEdge(const Ledger& ledger, PackedRef from, PackedRef to, const OrderWitness& witness) {
  OrderEdge* const edge = FindOrAddEdge(ledger, from, to);
  if (edge == nullptr) return;
  AddWitness(ledger, edge, witness);
  edge->ready.store(1, std::memory_order_release);  // pairs with the reader's acquire
}

}  // namespace

void RecordOrderSlow(ThreadRecord* record, uint32_t frame, OrderAcquisition acquisition,
                     uint64_t held_hash) {
  const Ledger ledger = TheLedger();
  // Locks held, outermost first; what does not fit is counted in each witness.
  constexpr uint32_t kMaxHeld = 64;
  const HeldEntry* held[kMaxHeld];
  uint32_t count = 0, beyond = 0;
  for (uint32_t f = 0; f <= frame; ++f) {
    // Relaxed: own record, and so below.
    const uint32_t n = record->FrameAt(f).held_count.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < n; ++i) {
      const HeldEntry* entry = &record->held[kHeldBegin[f] + i];
      const PackedRef ref = entry->lock.load(std::memory_order_relaxed);  // own record
      if (ref == 0 || !Orders(ledger, ref)) continue;
      if (count == kMaxHeld) {
        ++beyond;
      } else {
        held[count++] = entry;
      }
    }
  }
  OrderWitness witness;
  witness.thread_serial = record->serial.load(std::memory_order_relaxed);  // own record
  witness.to_mode = ModeBitsOf(acquisition.lock);
  witness.to_site = acquisition.site;
  witness.to_stack = CaptureIfWanted(record, acquisition.site, acquisition.cfa);
  witness.first_clock =
      static_cast<uint32_t>(record->order_clock.load(std::memory_order_relaxed));  // own record
  witness.last_clock = witness.first_clock;
  for (uint32_t i = 0; i < count; ++i) {
    const PackedRef from = held[i]->lock.load(std::memory_order_relaxed);  // own record
    if (IndexOf(from) == IndexOf(acquisition.lock)) continue;              // relock, not order
    witness.from_mode = ModeBitsOf(from);
    witness.from_stack = held[i]->stack.load(std::memory_order_relaxed);  // own record
    witness.from_site = held[i]->site.load(std::memory_order_relaxed);    // own record
    NoteHeld(held, count, beyond, /*but=*/i, &witness);
    AddEdge(ledger, WithoutMode(from), WithoutMode(acquisition.lock), witness);
  }
  if (NotesUses(record)) {
    ++record->uses_noted;
    const PackedRef self = ThreadRef(witness.thread_serial);
    witness.from_mode = static_cast<uint8_t>(Mode::kJoin);
    witness.from_stack = 0;
    // Relaxed: written before the thread began to run.
    witness.from_site = record->start_routine.load(std::memory_order_relaxed);
    NoteHeld(held, count, beyond, kNobody, &witness);
    AddEdge(ledger, self, WithoutMode(acquisition.lock), witness);
  }
  record->order_cache[held_hash % kOrderCacheSize] = static_cast<uint32_t>(held_hash >> 32);
}

void RecordJoinOrder(ThreadRecord* record, uint32_t frame, uint32_t serial, uint64_t pthread_self,
                     uint8_t mode_bits, uint64_t site, uint64_t cfa) {
  if (HeldHash(record, frame, 1) == 0 && !NotesUses(record)) return;
  if (serial == 0) serial = FindThreadSerial(TheLedger(), pthread_self);
  if (serial == 0 || serial >= kThreadIndex) return;
  const uint8_t mode = static_cast<uint8_t>(static_cast<uint8_t>(Mode::kJoin) | mode_bits);
  RecordOrder(record, frame, WithMode(ThreadRef(serial), mode), site, cfa);
}

}  // namespace lockwarden::ledger
