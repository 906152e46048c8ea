// Policies, and the comparison of what is wanted with what is held.
#include "runtime/order_policy.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "lockwarden/acquire.h"
#include "lockwarden/lock.h"
#include "lockwarden/rlock.h"
#include "lockwarden/shared_lock.h"
#include "runtime/known_lock.h"
#include "runtime/lock_word.h"
#include "runtime/misuse.h"
#include "runtime/own_type.h"
#include "runtime/shared_word.h"
#include "runtime/the_recorder.h"

namespace lockwarden {
inline namespace v1 {
namespace internal {

using ledger::HoldView;
using ledger::LockCall;
using ledger::LockKind;
using ledger::OrderRule;

namespace {

std::atomic<OrderPolicy> process_policy{OrderPolicy::kDefault};

thread_local bool not_looked_at = false;

// Where one lock stands.
struct Stand {
  const LockClass* lock_class;
  int rank;
  bool has_rank;
  uint32_t id;
};

const LockTraits* TraitsOf(const LockIdentity& lock) {
  return internal::TraitsOf(*lock.id, lock.name);
}

Stand StandOf(const LockIdentity& lock) {
  const LockTraits* traits = TraitsOf(lock);
  const int rank = traits == nullptr ? kNoRank : traits->rank();
  return {traits == nullptr ? nullptr : traits->lock_class(), rank == kNoRank ? 0 : rank,
          rank != kNoRank, AssignId(lock.id)};
}

bool AboveInSets(const Stand& a, const Stand& b) {
  return a.rank != b.rank ? a.rank > b.rank : a.id > b.id;
}

// What it breaks to take `wanted` while `held` is held; kNone: nothing.
OrderRule Compare(const Stand& wanted, const Stand& held, bool all) {
  if (wanted.lock_class != nullptr && held.lock_class != nullptr) {
    if (comes_before(*wanted.lock_class, *held.lock_class)) return OrderRule::kDeclared;
    if (comes_before(*held.lock_class, *wanted.lock_class)) return OrderRule::kNone;
  }
  if (!all && (!wanted.has_rank || !held.has_rank)) return OrderRule::kNone;
  if (wanted.rank != held.rank) {
    return wanted.rank < held.rank ? OrderRule::kRank : OrderRule::kNone;
  }
  const bool unordered = wanted.lock_class != nullptr && wanted.lock_class == held.lock_class &&
                         wanted.lock_class->unordered();
  return unordered || wanted.id > held.id ? OrderRule::kNone : OrderRule::kId;
}

const char* Reason(OrderRule rule) {
  switch (rule) {
    case OrderRule::kDeclared:
      return "against the declared order of their classes";
    case OrderRule::kRank:
      return "of a higher rank";
    case OrderRule::kId:
      return "of the same rank and a higher id";
    case OrderRule::kSet:
      return "which is not below all of the set";
    case OrderRule::kNoLocks:
      return "where none is allowed";
    case OrderRule::kNone:
      break;
  }
  return "against the order";
}

// Name and class go into the ledger.
void Describe(const ledger::OrderApi* api, const LockCall& call, const LockIdentity& lock) {
  const LockTraits* const traits = TraitsOf(lock);
  const LockClass* const lock_class = traits == nullptr ? nullptr : traits->lock_class();
  api->describe(call, lock.name, lock_class == nullptr ? nullptr : lock_class->name(), lock_class);
}

LockCall CallOf(const LockIdentity& lock, uint64_t site, uint64_t cfa) {
  return {lock.lock, site, cfa, static_cast<LockKind>(lock.kind)};
}

// What the thread holds of the linked types.
struct Holds {
  HoldView views[kHoldsLookedAt];
  uint32_t count = 0;
  explicit Holds(const ledger::OrderApi* api) {
    if (api != nullptr) count = api->held(views, kHoldsLookedAt);
  }
  bool Has(const void* lock) const {
    for (uint32_t i = 0; i < count; ++i) {
      if (views[i].lock == lock) return true;
    }
    return false;
  }
};

}  // namespace

const ledger::OrderApi* OrderRecorder() {
  if constexpr (ledger::kInstrumented) {
    using Function = const ledger::OrderApi* (*)();
    static const ledger::OrderApi* const api = [] {
      const auto found = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, "lockwarden_order_v1"));
      const ledger::OrderApi* table = found != nullptr ? found() : lockwarden_order_v1();
      return table->version == ledger::OrderApi::kVersion ? table : nullptr;
    }();
    return api;
  }
  return nullptr;
}

LockIdentity IdentityOf(const HoldView& held) {
  void* const lock = const_cast<void*>(held.lock);
  switch (held.kind) {
    case LockKind::kLock:
      return IdentityAccess::Of(*static_cast<Lock*>(lock));
    case LockKind::kRLock:
      return IdentityAccess::Of(*static_cast<RLock*>(lock));
    case LockKind::kSharedLock:
      return IdentityAccess::Of(*static_cast<SharedLock*>(lock));
    default:
      return {};
  }
}

OrderPolicy PolicyFor(const LockTraits* traits) {
  const LockClass* lock_class = traits == nullptr ? nullptr : traits->lock_class();
  const OrderPolicy own = lock_class == nullptr ? OrderPolicy::kDefault : lock_class->policy();
  return own != OrderPolicy::kDefault ? own : order_policy();
}

void ActOnViolation(OrderPolicy policy, const LockIdentity& wanted, const HoldView& held,
                    OrderRule rule, uint64_t site, uint64_t cfa) {
  const ledger::OrderApi* const api = OrderRecorder();
  const LockCall call = CallOf(wanted, site, cfa);
  if (wanted.lock != nullptr) Describe(api, call, wanted);
  api->note_violation(call, held, rule);
  const uint64_t wanted_id = wanted.lock == nullptr ? 0 : AssignId(wanted.id);
  const LockIdentity identity = IdentityOf(held);
  const uint64_t held_id = identity.lock == nullptr ? 0 : AssignId(identity.id);
  char text[160];
  if (wanted_id == 0) {
    std::snprintf(text, sizeof(text), "lockwarden: a lock is held %s", Reason(rule));
  } else {
    std::snprintf(text, sizeof(text), "lockwarden: lock %llu is taken while lock %llu is held, %s",
                  static_cast<unsigned long long>(wanted_id),
                  static_cast<unsigned long long>(held_id), Reason(rule));
  }
  if (policy == OrderPolicy::kThrow) throw LockOrderViolation(wanted_id, held_id, text);
  if (policy == OrderPolicy::kAbort) {
    std::fprintf(stderr, "%s\n", text);
    std::abort();
  }
}

namespace {

// Evidence; the recorder compares it with what it knows.
ledger::WordSays WordOf(const LockIdentity& lock) {
  switch (static_cast<LockKind>(lock.kind)) {
    case LockKind::kLock:
    case LockKind::kRLock:
      // Relaxed: as above.
      return {.owner = static_cast<std::atomic<uint32_t>*>(lock.lock)->load(
                           std::memory_order_relaxed) & ledger::kLockTidMask};
    case LockKind::kSharedLock: {
      const uint64_t word = ledger::OwnSharedWord::Look(lock.lock);
      return {.owner = ledger::SeatOf(word) & ledger::kLockTidMask,
              .readers = ledger::ReadersOf(word)};
    }
    default:
      return {};
  }
}

}  // namespace

void Refuse(std::errc code, const char* type, const char* name, const char* what) {
  char text[192];
  const bool named = name != nullptr && name[0] != '\0';
  std::snprintf(text, sizeof(text), named ? "lockwarden::%s \"%s\" %s" : "lockwarden::%s%s %s",
                type, named ? name : "", what);
  Throw(code, text);
}

void NoteMisuse(ledger::MisuseKind kind, const LockIdentity& lock, uint64_t site, uint64_t cfa) {
  const ledger::OrderApi* const api = OrderRecorder();
  if (api == nullptr) return;
  const LockCall call = CallOf(lock, site, cfa);
  Describe(api, call, lock);
  const ledger::WordSays says = WordOf(lock);
  api->note_misuse(call, kind, says.owner, says.readers);
}

void CheckOrderSlow(const LockIdentity& wanted, uint64_t site, uint64_t cfa) {
  const LockTraits* const traits = TraitsOf(wanted);
  const OrderPolicy policy = PolicyFor(traits);
  const ledger::OrderApi* const api = OrderRecorder();
  if (api == nullptr) return;
  if (traits != nullptr) Describe(api, CallOf(wanted, site, cfa), wanted);
  if (policy == OrderPolicy::kOff || not_looked_at) return;
  const Stand stand = StandOf(wanted);
  const Holds holds(api);
  if (holds.Has(wanted.lock)) return;  // once more: not an order
  for (uint32_t i = holds.count; i-- > 0;) {
    const LockIdentity held = IdentityOf(holds.views[i]);
    if (held.lock == nullptr) continue;
    const OrderRule rule = Compare(stand, StandOf(held), policy != OrderPolicy::kDefault);
    if (rule != OrderRule::kNone) {
      return ActOnViolation(policy, wanted, holds.views[i], rule, site, cfa);
    }
  }
}

size_t SortUnsorted(LockToTake* locks, size_t count) {
  std::sort(locks, locks + count, InOrder);
  return static_cast<size_t>(std::unique(locks, locks + count, SameLock) - locks);
}

namespace {

// `locks` as they will be taken. One violation is told, the first that is met.
void CheckSet(const LockToTake* locks, size_t count, uint64_t site, uint64_t cfa) {
  const ledger::OrderApi* const api = OrderRecorder();
  const Holds holds(api);
  if (holds.count == 0) return;
  bool lowest = true;
  for (size_t i = 0; i < count; ++i) {
    if (locks[i].way->identity == nullptr || holds.Has(locks[i].lock)) continue;
    const LockIdentity lock = locks[i].way->identity(locks[i].lock);
    const OrderPolicy policy = PolicyFor(TraitsOf(lock));
    if (policy == OrderPolicy::kOff) continue;
    const Stand wanted = StandOf(lock);
    for (uint32_t h = holds.count; h-- > 0;) {
      const LockIdentity held = IdentityOf(holds.views[h]);
      if (held.lock == nullptr) continue;
      const Stand other = StandOf(held);
      const bool declared = Compare(wanted, other, /*all=*/false) == OrderRule::kDeclared;
      if (declared || (lowest && !AboveInSets(wanted, other))) {
        return ActOnViolation(policy, lock, holds.views[h],
                              declared ? OrderRule::kDeclared : OrderRule::kSet, site, cfa);
      }
    }
    lowest = false;
  }
}

}  // namespace

namespace {

bool LooksAtEach() {
  // Relaxed: as in CheckOrder.
  return (ledger::linked_wants.load(std::memory_order_relaxed) & ledger::kWantsCheck) != 0;
}

}  // namespace

bool CheckSetOrder(const LockToTake* locks, size_t count) {
  if (!ledger::HoldsNothing()) CheckSet(locks, count, LOCKWARDEN_SITE, LOCKWARDEN_CFA);
  return LooksAtEach();
}

bool NoOrderToCheck() noexcept { return ledger::HoldsNothing() && !LooksAtEach(); }

OrderNotLookedAt::OrderNotLookedAt() noexcept : before_(std::exchange(not_looked_at, true)) {}
OrderNotLookedAt::~OrderNotLookedAt() { not_looked_at = before_; }

}  // namespace internal

namespace {

OrderPolicy PolicyOf(ledger::OrderChoice choice) {
  switch (choice) {
    case ledger::OrderChoice::kOff: return OrderPolicy::kOff;
    case ledger::OrderChoice::kReport: return OrderPolicy::kReport;
    case ledger::OrderChoice::kThrow: return OrderPolicy::kThrow;
    case ledger::OrderChoice::kAbort: return OrderPolicy::kAbort;
    case ledger::OrderChoice::kNotGiven: break;
  }
  return OrderPolicy::kDefault;
}

// Before the program's own constructors: what it says itself comes later, and counts.
__attribute__((constructor(101))) void BeginWithTheEnvironment() {
  // dlsym takes the loader's lock: before a thread that has it can wait for whoever looks first.
  ledger::TheRecorder();
  const ledger::OrderApi* const api = internal::OrderRecorder();
  if (api != nullptr) set_order_policy(PolicyOf(api->choice()));
}

}  // namespace

void set_order_policy(OrderPolicy policy) noexcept {
  // Relaxed: a switch; nothing is published with it.
  internal::process_policy.store(policy, std::memory_order_relaxed);
  if (policy > OrderPolicy::kOff) internal::BeginToCheckOrder();
}
OrderPolicy order_policy() noexcept {
  return internal::process_policy.load(std::memory_order_relaxed);  // a switch
}

LockOrderViolation::LockOrderViolation(uint64_t wanted, uint64_t held, const char* text) noexcept
    : wanted_(wanted), held_(held) {
  std::snprintf(text_, sizeof(text_), "%s", text);
}

}  // namespace v1
}  // namespace lockwarden
