// One listing of the process's threads, kept for the look.
#include "watchdog/thread_roster.h"

#include <algorithm>

namespace lockwarden {

const absl::flat_hash_set<uint32_t>* ThreadRoster::Tids() {
  if (!read_) {
    read_ = true;
    if (const auto tids = kernel_->Tids(); tids.has_value()) {
      tids_.emplace(tids->begin(), tids->end());
    }
  }
  return tids_.has_value() ? &*tids_ : nullptr;
}

bool ThreadRoster::IsZombie(uint32_t tid) {
  if (tid == 0) return false;  // there is one, but the ledger's name for it is not known
  const KernelThread thread = kernel_->Thread(tid);
  return !thread.exists || thread.state == 'Z' || thread.state == 'X';
}

bool ThreadRoster::IsGone(uint32_t tid) {
  const absl::flat_hash_set<uint32_t>* tids = Tids();
  // A thread that could not be translated may be this one.
  if (tids == nullptr || tids->contains(0)) return false;
  // Not in the list: it may have been born since.
  if (!tids->contains(tid)) return !kernel_->Thread(tid).exists;
  return tid == main_tid_ && IsZombie(tid);
}

bool ThreadRoster::HasOutsiders(const absl::flat_hash_set<uint32_t>& recorded,
                                const absl::flat_hash_set<uint32_t>& exempt) {
  const absl::flat_hash_set<uint32_t>* tids = Tids();
  if (tids == nullptr) return true;
  return std::any_of(tids->begin(), tids->end(), [&](uint32_t tid) {
    return !recorded.contains(tid) && !exempt.contains(tid) && !IsZombie(tid);
  });
}

}  // namespace lockwarden
