// Depth first, one holder after another. Each look takes the thread table from end to end: a wait
// is worth that only where victims are chosen.
#include "runtime/cycle.h"

#include "runtime/futex_lock.h"

namespace lockwarden::ledger {
namespace {

constexpr uint32_t kNoHold = ~0u;  // of a thread that is joined: it blocks by living

struct WaitSeen {
  PackedRef ref = 0;
  uint32_t frame = 0;
};

// The innermost: what the thread is blocked in. Acquire: Q2, so that older holds are seen, too.
WaitSeen WaitOf(const ThreadRecord& thread) {
  for (uint32_t f = kFrames; f-- > 0;) {
    const PackedRef ref = thread.FrameAt(f).wait.wait.load(std::memory_order_acquire);  // Q2
    if (ref != 0) return {ref, f};
  }
  return {};
}

LockRecord& RecordOf(PackedRef ref) { return this_thread.locks[IndexOf(ref)]; }

LockKind KindOfLock(PackedRef ref) {
  // Relaxed: as old as the life that the reference names.
  return KindOf(RecordOf(ref).kind_and_flags.load(std::memory_order_relaxed));
}

// Whether only a holder, or the joined thread, can end it.
bool IsFollowed(PackedRef wait) {
  if ((wait & (kTimed | kTry)) != 0) return false;
  if (ModeOf(wait) == Mode::kJoin) return IndexOf(wait) != kNoIndex;
  // Relaxed, all: as old as the life; evidence that only grows.
  const LockRecord& lock = RecordOf(wait);
  if (LifeIn(lock.generation.load(std::memory_order_relaxed)) != GenerationOf(wait) ||
      lock.foreign_releases.load(std::memory_order_relaxed) != 0 ||            // as above
      (lock.kind_and_flags.load(std::memory_order_relaxed) & kFolded) != 0) {  // as above
    return false;
  }
  switch (KindOfLock(wait)) {
    case LockKind::kMutex:
    case LockKind::kLock:
    case LockKind::kRLock:
    case LockKind::kSharedLock:
      return true;
    default:
      return false;
  }
}

// Whether who holds it so keeps out who waits for it so.
bool KeepsOut(Mode held, Mode wanted) {
  switch (wanted) {
    case Mode::kShared:
      return held == Mode::kExclusive;
    case Mode::kUpgrade:
      return held == Mode::kExclusive || held == Mode::kUpgrade;
    case Mode::kExclusive:
      return held == Mode::kExclusive || held == Mode::kUpgrade || held == Mode::kShared;
    default:
      return false;
  }
}

bool Blocks(PackedRef held, PackedRef wait) {
  return held != 0 && WithoutMode(held) == WithoutMode(wait) && (held & kInherited) == 0 &&
         KeepsOut(ModeOf(held), ModeOf(wait));
}

uint32_t CountOf(const ThreadRecord& thread, uint32_t frame) {
  const uint32_t count = thread.FrameAt(frame).held_count.load(std::memory_order_acquire);  // Q4
  return count < kHeldCapacity[frame] ? count : kHeldCapacity[frame];
}

// The place in the held list of what keeps the wait from ending; kNoHold: there is none.
uint32_t BlockingHold(const ThreadRecord& thread, PackedRef wait) {
  for (uint32_t f = 0; f < kFrames; ++f) {
    const uint32_t end = kHeldBegin[f] + CountOf(thread, f);
    for (uint32_t at = kHeldBegin[f]; at < end; ++at) {
      if (Blocks(thread.held[at].lock.load(std::memory_order_acquire), wait)) return at;  // Q5
    }
  }
  return kNoHold;
}

bool StillHolds(const ThreadRecord& thread, uint32_t at, PackedRef wait) {
  uint32_t f = kFrames - 1;
  while (at < kHeldBegin[f]) --f;
  return at < kHeldBegin[f] + CountOf(thread, f) &&
         Blocks(thread.held[at].lock.load(std::memory_order_acquire), wait);  // Q5
}

// A thread that was met: blocked in `wait`, and by `hold` in the way of the one before it.
struct Step {
  const ThreadRecord* thread = nullptr;
  WaitSeen wait;
  uint32_t hold = kNoHold;
  uint32_t next_slot = 0;  // where to go on with those who are in its way
};

class Search {
 public:
  Search(const ThreadRecord& self, uint32_t frame)
      : self_(self),
        threads_(TheLedger().Table<ThreadRecord>(kThreads)),
        // Relaxed: a thread that is not counted yet does not wait yet.
        used_(TheLedger().header().tables[kThreads].used.load(std::memory_order_relaxed)) {
    // Relaxed: own field.
    const PackedRef own = self.FrameAt(frame).wait.wait.load(std::memory_order_relaxed);
    steps_[0] = {.thread = &self, .wait = {own, frame}};
  }

  // Whether something that was found had moved when it was verified: then it is worth another look.
  bool moved() const { return moved_; }

  bool Find() {
    if (!IsFollowed(steps_[0].wait.ref)) return false;
    for (depth_ = 1; depth_ > 0;) {
      Step next;
      if (!NextInTheWay(&next)) {
        --depth_;
      } else if (next.thread == &self_) {
        closing_hold_ = next.hold;
        if (Verify()) return true;
        moved_ = true;
      } else if (depth_ < kLongestChain && Meet(next.thread)) {
        steps_[depth_++] = next;
      }
    }
    return false;
  }

  void Describe(Cycle* out) const {
    out->length = depth_;
    for (uint32_t i = 0; i < depth_ && i < Cycle::kLinks; ++i) {
      const bool last = i + 1 == depth_;
      const ThreadRecord& holder = last ? self_ : *steps_[i + 1].thread;
      DescribeLink(steps_[i], holder, last ? closing_hold_ : steps_[i + 1].hold, &out->links[i]);
    }
  }

 private:
  // Of those in the way of the newest step the next one that is blocked itself.
  bool NextInTheWay(Step* next) {
    Step& top = steps_[depth_ - 1];
    const PackedRef wait = top.wait.ref;
    const bool join = ModeOf(wait) == Mode::kJoin;
    if (join && top.next_slot == 0) {
      top.next_slot = IndexOf(wait);  // that one, and no other
    } else if (join) {
      return false;
    }
    while (top.next_slot < used_) {
      const ThreadRecord& thread = threads_[top.next_slot++];
      if (&thread == top.thread && !join) continue;  // what one has oneself is not in the way
      next->thread = &thread;
      next->wait = &thread == &self_ ? steps_[0].wait : WaitOf(thread);
      if (next->wait.ref != 0 && IsFollowed(next->wait.ref)) {
        next->hold = join ? kNoHold : BlockingHold(thread, wait);
        if (join ? IsJoined(thread, wait) : next->hold != kNoHold) {
          next->next_slot = 0;
          return true;
        }
      }
      if (join) return false;
    }
    return false;
  }

  static bool IsJoined(const ThreadRecord& thread, PackedRef wait) {
    // Relaxed: written before the thread could wait.
    return (thread.serial.load(std::memory_order_relaxed) & kGenerationMask) == GenerationOf(wait);
  }

  // False: it was met before, on this way or on one that led nowhere; or there were too many.
  bool Meet(const ThreadRecord* thread) {
    for (uint32_t i = 0; i < met_count_; ++i) {
      if (met_[i] == thread) return false;
    }
    if (met_count_ == kThreadsMet) return false;
    met_[met_count_++] = thread;
    return true;
  }

  // From the end, since each link rests on the one behind it.
  bool Verify() const {
    for (uint32_t i = depth_; i-- > 1;) {
      const Step& step = steps_[i];
      const PackedRef before = steps_[i - 1].wait.ref;
      const WaitSeen now = WaitOf(*step.thread);
      if (now.ref != step.wait.ref || now.frame != step.wait.frame) return false;
      if (step.hold == kNoHold ? !IsJoined(*step.thread, before)
                               : !StillHolds(*step.thread, step.hold, before)) {
        return false;
      }
    }
    return true;
  }

  static void Copy(char* to, size_t size, const char* from) {
    size_t i = 0;
    for (; i + 1 < size && from[i] != '\0'; ++i) to[i] = from[i];
    to[i] = '\0';
  }

  // What is copied belongs to threads that cannot move. Relaxed, all: seen through WaitOf.
  void DescribeLink(const Step& step, const ThreadRecord& holder, uint32_t hold,
                    CycleLink* out) const {
    *out = {};
    out->tid = step.thread->tid.load(std::memory_order_relaxed);  // as above
    for (uint32_t i = 0; i + 1 < sizeof(out->thread_name); ++i) {
      const uint64_t word = step.thread->name[i / 8].load(std::memory_order_relaxed);  // as above
      out->thread_name[i] = static_cast<char>(word >> (i % 8 * 8));
    }
    const Frame& frame = step.thread->FrameAt(step.wait.frame);
    if (frame.wait.since_ns.load(std::memory_order_relaxed) != 0) {                      // as above
      out->wait_site = frame.wait.site.load(std::memory_order_relaxed);                  // as above
    } else if (const uint32_t count = frame.held_count.load(std::memory_order_relaxed);  // as above
               count < kHeldCapacity[step.wait.frame]) {
      const HeldEntry& ahead = step.thread->held[kHeldBegin[step.wait.frame] + count];
      const bool own = ahead.lock.load(std::memory_order_relaxed) == step.wait.ref;  // as above
      out->wait_site = own ? ahead.site.load(std::memory_order_relaxed) : 0;         // as above
    }
    if (hold != kNoHold) {
      out->hold_site = holder.held[hold].site.load(std::memory_order_relaxed);  // as above
    }
    if (ModeOf(step.wait.ref) == Mode::kJoin) return;
    const LockRecord& lock = RecordOf(step.wait.ref);
    out->kind = KindOfLock(step.wait.ref);
    out->lock =
        reinterpret_cast<const void*>(lock.address.load(std::memory_order_relaxed));  // above
    out->lock_serial = lock.serial.load(std::memory_order_relaxed);                   // above
    const uint32_t name = lock.name.load(std::memory_order_relaxed);                  // above
    if (name != 0) {
      Copy(out->lock_name, sizeof(out->lock_name), TheLedger().Table<char>(kNames) + name);
    }
  }

  const ThreadRecord& self_;
  const ThreadRecord* const threads_;
  const uint32_t used_;
  uint32_t depth_ = 0, met_count_ = 0, closing_hold_ = kNoHold;
  bool moved_ = false;
  Step steps_[kLongestChain];
  const ThreadRecord* met_[kThreadsMet];
};

}  // namespace

bool FindCycle(const ThreadRecord& self, uint32_t frame, Cycle* out) {
  constexpr int kTries = 4;  // a deadlock does not move
  for (int i = 0; i < kTries; ++i) {
    Search search(self, frame);
    if (search.Find()) return search.Describe(out), true;
    if (!search.moved()) return false;
  }
  return false;
}

void OfferWait() {
  TheLedger().header().breaking.fetch_or(0, std::memory_order_acq_rel);  // R1
}

bool WithdrawIfCyclic(const Place& place, Cycle* out) {
  Header& header = TheLedger().header();
  const uint32_t tid = place.record->tid.load(std::memory_order_relaxed);  // own field
  // A handler that has interrupted this very search: it waits, and the judge tells of it.
  // Relaxed: only this thread can have written its own tid.
  if ((header.breaking.load(std::memory_order_relaxed) & kLockTidMask) == tid) return false;
  FutexLock(&header.breaking, tid);
  const bool found = FindCycle(*place.record, place.frame_index, out);
  if (found) {
    place.record->FrameAt(place.frame_index).wait.wait.store(0, std::memory_order_release);  // P3
    header.broken.fetch_add(1, std::memory_order_relaxed);  // a statistic
  }
  FutexUnlock(&header.breaking);
  return found;
}

}  // namespace lockwarden::ledger
