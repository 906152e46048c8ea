// Early names wait in a few places, used in turn: one that is overtaken before its thread
// has run is lost, and the kernel knows it all the same.
//
//   N1 place = thread   seq_cst   the namer, then N3: looks for the record again
//   N2 state = kLive    seq_cst   the thread (thread_slots.cc), then N4: looks for a place
//   Either N3 sees N2, or N4 sees N1.
#include "runtime/thread_names.h"

#include "runtime/thread_slots.h"

namespace lockwarden::ledger {
namespace {

struct Name {
  uint64_t words[2] = {};
};
struct EarlyName {
  std::atomic<uint64_t> thread{0};  // pthread_t; 0: free
  std::atomic<uint64_t> words[2] = {};
};
constexpr uint32_t kPlaces = 16;
EarlyName places[kPlaces];
std::atomic<uint32_t> next_place{0};

Name Pack(const char* text) {
  Name name;
  for (uint32_t i = 0; i + 1 < sizeof(name.words) && text[i] != '\0'; ++i) {
    name.words[i / 8] |= uint64_t{static_cast<unsigned char>(text[i])} << (i % 8 * 8);
  }
  return name;
}

void Store(std::atomic<uint64_t>* to, const Name& name) {
  // Relaxed, both: for display; whoever reads meanwhile may see half of two names.
  for (int i = 0; i < 2; ++i) to[i].store(name.words[i], std::memory_order_relaxed);
}

bool StoreInRecord(uint64_t pthread_self, const Name& name) {
  const uint32_t slot = FindThreadSlot(pthread_self);
  if (slot == kNoIndex) return false;
  Store(TheLedger().Table<ThreadRecord>(kThreads)[slot].name, name);
  return true;
}

}  // namespace

void NameThread(uint64_t pthread_self, const char* name) {
  const Name packed = Pack(name);
  if (StoreInRecord(pthread_self, packed)) return;
  // Relaxed: only spreads the places.
  EarlyName& place = places[next_place.fetch_add(1, std::memory_order_relaxed) % kPlaces];
  Store(place.words, packed);
  place.thread.store(pthread_self, std::memory_order_seq_cst);  // N1
  if (!StoreInRecord(pthread_self, packed)) return;             // N3
  uint64_t mine = pthread_self;
  place.thread.compare_exchange_strong(mine, 0, std::memory_order_seq_cst);  // as N1
}

void TakeEarlyName(ThreadRecord& own) {
  const uint64_t self = own.pthread_self.load(std::memory_order_relaxed);  // own record
  for (EarlyName& place : places) {
    if (place.thread.load(std::memory_order_seq_cst) != self) continue;  // N4
    Name name;
    for (int i = 0; i < 2; ++i) {
      name.words[i] = place.words[i].load(std::memory_order_relaxed);  // written before N1
    }
    uint64_t mine = self;
    if (place.thread.compare_exchange_strong(mine, 0, std::memory_order_seq_cst)) {  // as N4
      Store(own.name, name);
    }
  }
}

}  // namespace lockwarden::ledger
