// The layouts, with the names that they have in glibc's struct_mutex.h,
// struct_rwlock.h and semaphoreP.h (sysdeps/nptl and sysdeps/x86); pthread_once.c and
// pthread_spin_init.c; libstdc++'s guard.cc.
#include "watchdog/lock_words.h"

#include <cstring>

#include "runtime/lock_word.h"

namespace lockwarden {
namespace {

using Says = LockWord::Says;

constexpr uint32_t kTidMask = 0x3fffffff;  // FUTEX_TID_MASK

// A lock's memory, as 32-bit words.
template <size_t kBytes>
class Words {
 public:
  Words(KernelView* kernel, uint64_t address)
      : read_(address != 0 && kernel->ReadMemory(address, words_, kBytes)) {}
  bool read() const { return read_; }
  uint32_t At(size_t offset) const { return words_[offset / 4]; }

 private:
  uint32_t words_[kBytes / 4] = {};
  bool read_;
};

LockWord Unreadable() { return LockWord{.unreadable = true}; }

// {__lock@0, __count@4, __owner@8, __nusers@12, __kind@16}
LockWord ReadMutex(KernelView* kernel, uint64_t address) {
  const Words<20> words(kernel, address);
  if (!words.read()) return Unreadable();
  const uint32_t kind = words.At(16);
  LockWord word;
  word.recursive = (kind & 3) == 1;  // PTHREAD_MUTEX_RECURSIVE_NP
  word.robust = (kind & 16) != 0;
  word.shared = (kind & 128) != 0;
  // Robust and priority-inheriting mutexes keep the tid in the lock word too.
  const bool tid_in_word = (kind & (16 | 32)) != 0;
  const uint32_t lock = words.At(0);
  if (lock == 0 || (tid_in_word && (lock & kTidMask) == 0)) {
    word.says = Says::kFree;
    return word;
  }
  word.owner = tid_in_word ? lock & kTidMask : words.At(8);
  word.says = word.owner == 0 ? Says::kTaken : Says::kOwned;
  return word;
}

// {__readers@0, __writers@4, __wrphase_futex@8, __writers_futex@12, __cur_writer@24,
// __shared@28, __flags@48}. __readers: bit 0 write phase, bit 1 a writer holds or waits,
// from bit 3 on the readers: holding in a read phase, waiting in a write phase.
LockWord ReadRwLock(KernelView* kernel, uint64_t address) {
  const Words<56> words(kernel, address);
  if (!words.read()) return Unreadable();
  const uint32_t readers = words.At(0);
  const bool write_phase = (readers & 1) != 0, writer = (readers & 2) != 0;
  LockWord word;
  word.shared = words.At(28) != 0;
  word.writer_preferred = words.At(48) == 2;  // PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP
  if (write_phase) {
    word.owner = words.At(24);
    word.says = !writer ? Says::kFree : word.owner == 0 ? Says::kTaken : Says::kOwned;
  } else {
    word.readers = readers >> 3;
    word.writer_waits = writer;
    word.says = word.readers == 0 ? Says::kFree : Says::kReaders;
  }
  return word;
}

// {value@0 (low half of a 64-bit word), nwaiters@4, private@8}
LockWord ReadSemaphore(KernelView* kernel, uint64_t address) {
  const Words<12> words(kernel, address);
  if (!words.read()) return Unreadable();
  LockWord word;
  word.shared = words.At(8) != 0;
  word.says = words.At(0) == 0 ? Says::kNoUnits : Says::kUnits;
  return word;
}

// lockwarden::Lock, RLock: {owner's tid and, in bit 31, "someone waits"}
LockWord ReadOwnLock(KernelView* kernel, const LockInfo& lock) {
  const Words<4> words(kernel, lock.address);
  if (!words.read()) return Unreadable();
  LockWord word;
  word.recursive = lock.kind == ledger::LockKind::kRLock;
  word.owner = words.At(0) & kTidMask;
  word.says = word.owner == 0 ? Says::kFree : Says::kOwned;
  return word;
}

// lockwarden::SharedLock: {seat@0, readers@4}
LockWord ReadSharedLock(KernelView* kernel, uint64_t address) {
  const Words<8> words(kernel, address);
  if (!words.read()) return Unreadable();
  LockWord word;
  word.owner = words.At(0) & kTidMask;
  word.readers = words.At(4) & ledger::kReadersMask;
  word.closed = (words.At(4) & ledger::kReadersClosed) != 0;
  word.writer_waits = word.closed && word.readers != 0;
  word.says = word.readers != 0 ? Says::kReaders : word.owner != 0 ? Says::kOwned : Says::kFree;
  return word;
}

// One word that says whether it is taken, and by nobody in particular.
LockWord ReadUnnamed(KernelView* kernel, const LockInfo& lock) {
  const Words<4> words(kernel, lock.address);
  if (!words.read()) return Unreadable();
  const uint32_t value = words.At(0);
  LockWord word;
  bool held;
  switch (lock.kind) {
    case ledger::LockKind::kSpin:
#if defined(__x86_64__)
      held = value != 1;
#else
      held = value != 0;
#endif
      break;
    case ledger::LockKind::kOnce: held = (value & 3) == 1; break;  // in progress, not done
    // The first byte (in memory) is "initialised".
    default: held = (value & 0xff) == 0 && value != 0; break;
  }
  word.says = held ? Says::kHeld : Says::kFree;
  return word;
}

}  // namespace

bool HasOwner(ledger::LockKind kind) {
  using ledger::LockKind;
  switch (kind) {
    case LockKind::kMutex:
    case LockKind::kRwLock:
    case LockKind::kLock:
    case LockKind::kRLock:
    case LockKind::kSharedLock:
    case LockKind::kSpin:
    case LockKind::kOnce:
    case LockKind::kGuard:
    case LockKind::kUser: return true;
    default: return false;
  }
}

LockWord ReadLockWord(KernelView* kernel, const LockInfo& lock) {
  switch (lock.kind) {
    case ledger::LockKind::kMutex: return ReadMutex(kernel, lock.address);
    case ledger::LockKind::kRwLock: return ReadRwLock(kernel, lock.address);
    case ledger::LockKind::kSemaphore: return ReadSemaphore(kernel, lock.address);
    case ledger::LockKind::kLock:
    case ledger::LockKind::kRLock: return ReadOwnLock(kernel, lock);
    case ledger::LockKind::kSharedLock: return ReadSharedLock(kernel, lock.address);
    case ledger::LockKind::kSpin:
    case ledger::LockKind::kOnce:
    case ledger::LockKind::kGuard: return ReadUnnamed(kernel, lock);
    default: return LockWord();
  }
}

}  // namespace lockwarden
