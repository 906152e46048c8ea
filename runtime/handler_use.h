// HandlerUse: which locks are taken in signal handlers, and by code that handlers may
// interrupt. Both together are what the reader tells as LOCK IN SIGNAL HANDLER.
//
// That code runs in a handler is read off the stack when it is captured: the handler's
// caller is the kernel's trampoline, which unwind tables mark. So sigaction and signal need
// no hooks, handlers that were installed by a raw system call are known as well, and
// whoever asks for a handler gets the program's own.
//
// Whether that code has blocked the handler's signal meanwhile is asked of the kernel, but only
// once a handler has taken the lock, and where stacks are captured anyway: what a handler takes
// for the first time makes every thread forget its stacks, so that all come by once more.
//
// Stacks in handlers are not kept in the per-thread cache, so each acquire there comes by
// here; an acquire elsewhere does when its stack is new to its thread. Only where stacks
// are recorded (stacks=full).
//
// Written by: any thread, into the lock's record and the misuse table. Read by: the reader.
#pragma once

#include "runtime/gate.h"

namespace lockwarden::ledger {

constexpr bool TellsUses(LockKind kind) {
  return kind == LockKind::kMutex || kind == LockKind::kRwLock || kind == LockKind::kSpin ||
         kind == LockKind::kLock || kind == LockKind::kSharedLock;
}

void NoteUseSlow(ThreadRecord* record, PackedRef lock, uint64_t site, uint32_t stack);

// Before an acquire of a lock of this kind; `lock` with its mode. `stack` is not 0.
inline void NoteUse(ThreadRecord* record, PackedRef lock, LockKind kind, uint64_t site,
                    uint32_t stack) {
  if (!TellsUses(kind)) return;
  // Relaxed: a hint; whoever sees an old one stores the same again.
  if (this_thread.locks[IndexOf(lock)].plain_stack.load(std::memory_order_relaxed) != stack) {
    NoteUseSlow(record, lock, site, stack);
  }
}

}  // namespace lockwarden::ledger
