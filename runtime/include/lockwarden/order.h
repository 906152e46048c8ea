// Lock order: what may be taken while what is held.
//
//   lockwarden::LockClass accounts("accounts", {.rank = 10});
//   lockwarden::LockClass journal("journal", {.rank = 20});
//   lockwarden::Lock account(accounts), log(journal);   // accounts before journal, always
//   lockwarden::order(tables, rows);                    // the same without numbers
//   lockwarden::set_order_policy(lockwarden::OrderPolicy::kThrow);
//
// A thread that asks for a lock which must come before one that it holds is found before it
// blocks, whether or not the opposite order was ever run. Only calls that could block are
// looked at: a try is free to go against the order.
//
// Which lock comes first: by the declared order of their classes if there is one, else by
// rank, else, of equal ranks, by id. Ids are ascending in the order of first use.
//
// Thread safety: all functions may be called by any thread at any time.
#pragma once

#include <atomic>
#include <climits>
#include <cstdint>
#include <exception>

namespace lockwarden {
inline namespace v1 {

// What becomes of a violation.
enum class OrderPolicy : uint8_t {
  // Report what goes against declared ranks and orders; locks without a rank are not compared.
  kDefault,
  kOff,
  kReport,  // every lock is compared; one without a rank has rank 0
  kThrow,   // as kReport, and LockOrderViolation out of the call, which holds nothing more
  kAbort,   // as kReport, and a line on standard error, and abort()
};

// What becomes of a wait that would close a deadlock; see deadlock.h.
enum class DeadlockPolicy : uint8_t {
  kDefault,  // of a class: as process-wide; process-wide: kReport
  kReport,   // if there is a supervisor
  kThrow,
};

inline constexpr int kNoRank = INT_MIN;

class LockClass;

// What one lock is called and where it stands. The locks keep a pointer to it: it must
// outlive them.
class LockTraits {
 public:
  // The name is copied, and cut after kNameSize - 1 bytes. `lock_class` may be null, and its
  // rank holds unless another one is given.
  explicit LockTraits(const char* name, LockClass* lock_class = nullptr, int rank = kNoRank);
  LockTraits(const LockTraits&) = delete;
  LockTraits& operator=(const LockTraits&) = delete;

  static constexpr int kNameSize = 48;
  constexpr const char* name() const noexcept { return name_; }
  LockClass* lock_class() const noexcept { return class_; }
  int rank() const noexcept { return rank_; }

 private:
  friend class LockClass;
  // First, and in place: a lock that has traits points here, where others have their name.
  char name_[kNameSize] = {};
  LockClass* class_ = nullptr;
  int rank_ = kNoRank;
};

struct LockClassOptions {
  int rank = kNoRank;
  bool unordered = false;  // locks of this class and of one rank may be taken in any order
  OrderPolicy policy = OrderPolicy::kDefault;  // kDefault: as process-wide
  DeadlockPolicy on_deadlock = DeadlockPolicy::kDefault;  // the same
};

// All locks of one role. Give it static storage: declared orders refer to it for good. It is
// the traits of locks that have no name or rank of their own.
class LockClass : public LockTraits {
 public:
  explicit LockClass(const char* name, LockClassOptions options = {});

  // For acquisitions of locks of this class, whatever is held.
  void set_policy(OrderPolicy policy) noexcept;
  OrderPolicy policy() const noexcept;
  bool unordered() const noexcept { return unordered_; }
  // For waits for locks of this class (deadlock.h).
  void set_deadlock_policy(DeadlockPolicy policy) noexcept;
  DeadlockPolicy deadlock_policy() const noexcept;

 private:
  friend void order(LockClass& before, LockClass& after);
  friend bool comes_before(const LockClass& before, const LockClass& after) noexcept;
  struct Link {
    LockClass* other;
    Link* next;
  };
  static void Add(std::atomic<Link*>* list, LockClass* other);

  const bool unordered_;
  std::atomic<OrderPolicy> policy_;
  std::atomic<DeadlockPolicy> deadlock_policy_;
  // Every class that must come later or earlier, also by way of others. Only grow.
  std::atomic<Link*> after_{nullptr}, before_{nullptr};
};

// Process-wide, for locks whose class has no policy of its own. At start it is what order= says in
// LOCKWARDEN_OPTIONS, or to `lockwarden run`; else kDefault.
void set_order_policy(OrderPolicy policy) noexcept;
OrderPolicy order_policy() noexcept;

// Locks of `before` are taken before locks of `after`, and so on along declared orders.
// Throws std::system_error with invalid_argument if the opposite is declared already.
void order(LockClass& before, LockClass& after);
// Whether that is declared, directly or along others.
bool comes_before(const LockClass& before, const LockClass& after) noexcept;

// Thrown by the acquiring call under OrderPolicy::kThrow, before anything was acquired.
class LockOrderViolation : public std::exception {
 public:
  LockOrderViolation(uint64_t wanted, uint64_t held, const char* text) noexcept;
  const char* what() const noexcept override { return text_; }
  uint64_t wanted_id() const noexcept { return wanted_; }
  uint64_t held_id() const noexcept { return held_; }

 private:
  uint64_t wanted_, held_;
  char text_[192] = {};
};

namespace internal {
// In a lock's id: its name is that of its traits.
inline constexpr uint32_t kHasTraits = 0x80000000u;
inline constexpr uint32_t kIdMask = ~kHasTraits;

// What tells one lock of these types from others, wherever it keeps it.
struct LockIdentity {
  void* lock = nullptr;  // null: not a lock of ours
  std::atomic<uint32_t>* id = nullptr;
  const char* name = nullptr;
  uint8_t kind = 0;  // ledger::LockKind
};
// What each type lets acquire(), the order and the assertions see of it.
struct IdentityAccess {
  template <class L>
  static auto Of(L& lock) noexcept -> decltype(lock.identity()) {
    return lock.identity();
  }
};
template <class L>
concept IsOurs = requires(L& lock) {
  IdentityAccess::Of(lock);
};
// Unique in the process, ascending; assigned on first use.
uint32_t AssignNewId(std::atomic<uint32_t>* id);
inline uint32_t AssignId(std::atomic<uint32_t>* id) {
  // Relaxed: the id is a number; nothing is published with it.
  const uint32_t known = id->load(std::memory_order_relaxed) & kIdMask;
  return known != 0 ? known : AssignNewId(id);
}
// While one lives, the calling thread's acquisitions are not compared with what it holds.
class [[nodiscard]] OrderNotLookedAt {
 public:
  OrderNotLookedAt() noexcept;
  ~OrderNotLookedAt();
  OrderNotLookedAt(const OrderNotLookedAt&) = delete;
  OrderNotLookedAt& operator=(const OrderNotLookedAt&) = delete;

 private:
  bool before_;
};
// While one lives, no wait of the calling thread throws DeadlockError.
class [[nodiscard]] NeverAVictim {
 public:
  NeverAVictim() noexcept;
  ~NeverAVictim();
  NeverAVictim(const NeverAVictim&) = delete;
  NeverAVictim& operator=(const NeverAVictim&) = delete;

 private:
  bool before_;
};
// Null: it has none.
inline const LockTraits* TraitsOf(const std::atomic<uint32_t>& id, const char* name) noexcept {
  // Relaxed: the bit was set by the lock's constructor. The name is the traits' first member.
  const bool has = (id.load(std::memory_order_relaxed) & kHasTraits) != 0;
  return has ? reinterpret_cast<const LockTraits*>(name) : nullptr;
}
// As it counts among others: without one it is 0.
inline int RankOf(const std::atomic<uint32_t>& id, const char* name) noexcept {
  const LockTraits* const traits = TraitsOf(id, name);
  return traits == nullptr || traits->rank() == kNoRank ? 0 : traits->rank();
}
}  // namespace internal

}  // namespace v1
}  // namespace lockwarden
