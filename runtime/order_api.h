// OrderApi: what the linked types ask and tell the recorder about lock order, through a table
// beside RecorderApi. Whoever decides (order_policy.cc, in the linked library) may throw; the
// recorder only knows what is held and writes down what went wrong.
//
// Written by: nobody (a constant table). Read by: order_policy.cc, assertions.cc.
// Must never: change meaning under the same name. Add another one instead.
#pragma once

#include <cstdint>

#include "runtime/lock_ref.h"
#include "runtime/settings.h"
#include "runtime/tables.h"

namespace lockwarden::ledger {

// One lock that the calling thread holds.
struct HoldView {
  const void* lock;
  PackedRef ref;  // with its mode
  uint64_t site;  // of the acquiring call
  uint32_t stack;
  LockKind kind;
};

// A lock of the linked types, and the call that it is used by.
struct LockCall {
  const void* lock;
  uint64_t site;
  uint64_t cfa;
  LockKind kind;
};

inline constexpr uint8_t kModeNotKnown = 0xff;

// Locks of the program's own making; see user_lock.h.
struct UserLockApi {
  using Call = void (*)(const void* lock, uint64_t site, uint64_t cfa);
  Call about_to_wait, acquired, released, destroyed;
  void (*named)(const void* lock, const char* name, uint64_t site, uint64_t cfa);
};

struct OrderApi {
  static constexpr uint32_t kVersion = 1;
  uint32_t version;
  uint32_t reserved;
  // Oldest first, newest last, at most `capacity`; 0 also where nothing is recorded.
  uint32_t (*held)(HoldView* out, uint32_t capacity);
  // A Mode, kNone if the thread does not hold it; kModeNotKnown where that was
  // not recorded, or may not have been.
  uint8_t (*mode_held)(const void* lock);
  // Gives a lock its name and its class in the ledger, unless it has them. `key` tells classes
  // apart; either text may be null.
  void (*describe)(const LockCall& call, const char* name, const char* class_name, const void* key);
  // The call goes against the order beside `held`. Written down once for each pair of sites.
  void (*note_violation)(const LockCall& call, const HoldView& held, OrderRule rule);
  // kUnlockNotOwner, kRelock or kOverrun, refused; kDestroyHeld. By the lock's word: the tid of who
  // holds it, 0: nobody does, or it is only read; and by how many.
  void (*note_misuse)(const LockCall& call, MisuseKind kind, uint32_t owner, uint32_t readers);
  UserLockApi user;
  // As the environment said it when the program began.
  OrderChoice (*choice)();
};

}  // namespace lockwarden::ledger

// The table of the library that defines it.
extern "C" __attribute__((visibility("default"))) const lockwarden::ledger::OrderApi*
lockwarden_order_v1();
