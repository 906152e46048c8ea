// Places for StartInfo: one array, reserved when the first thread is created.
#include "runtime/start_info.h"

#include <sys/mman.h>

#include "runtime/gate.h"
#include "runtime/raw_syscall.h"
#include "runtime/thread_slots.h"

namespace lockwarden::ledger {
namespace {

// A1 CAS of the array  acq_rel  pairs with A2
// A2 load              acquire
std::atomic<StartInfo*> places{nullptr};

StartInfo* Places() {
  StartInfo* array = places.load(std::memory_order_acquire);  // A2
  if (array != nullptr) return array;
  const long size = static_cast<long>(sizeof(StartInfo) * Capacities{}.threads);
  const long at = RawSyscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at < 0 && at > -4096) return nullptr;
  StartInfo* fresh = reinterpret_cast<StartInfo*>(at);
  if (places.compare_exchange_strong(array, fresh, std::memory_order_acq_rel)) return fresh;  // A1
  RawSyscall(SYS_munmap, at, size);  // another thread was first
  return array;
}

}  // namespace

void ReserveThreadStarts() { Places(); }

StartInfo* PrepareThreadStart(void* (*routine)(void*), void* argument, uint64_t stack_size) {
  StartInfo* array = Places();
  if (array == nullptr) return nullptr;
  const uint32_t slot = ClaimThreadSlot(reinterpret_cast<uint64_t>(routine));
  if (slot == kNoIndex) return nullptr;
  array[slot] = {routine, argument, this_thread.epoch, stack_size, slot};
  return &array[slot];
}

void AbandonThreadStart(StartInfo* info) { AbandonThreadSlot(info->slot); }

void BindStartedThread(const StartInfo* info) {
  // G2: if the process has stepped aside meanwhile there is nothing to bind to.
  if (info->epoch != TheGate()->epoch.load(std::memory_order_acquire)) return;
  // A signal handler may run at once, and must not register the thread a second time.
  this_thread.SetInRuntime(true);
  BindThread(info->slot, info->stack_size);
  this_thread.SetInRuntime(false);
}

void* RunStartedThread(void* argument) {
  const StartInfo info = *static_cast<StartInfo*>(argument);
  BindStartedThread(static_cast<StartInfo*>(argument));
  return info.routine(info.argument);
}

uint32_t ThreadSerial(uint32_t slot) {
  // Relaxed: written before the slot could be found.
  return TheLedger().Table<ThreadRecord>(kThreads)[slot].serial.load(std::memory_order_relaxed);
}

}  // namespace lockwarden::ledger
