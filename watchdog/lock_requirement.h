// What a thread that waits for a lock needs, by the lock's kind: the second half of the table
// in wait_model.h, from "mutex" to "semaphore".
//
// Written and read by: whoever builds one model. Not thread-safe.
// Must never: name a holder that ledger and lock word do not agree on.
#pragma once

#include <cstdint>
#include <vector>

#include "watchdog/wait_index.h"
#include "watchdog/wait_model.h"

namespace lockwarden {

class LockRequirement {
 public:
  LockRequirement(const ModelInput& input, bool asking, WaitIndex* index)
      : in_(input), asking_(asking), index_(*index) {}

  // Node i waits for its `lock` in its `mode`; fills in need, on and holders.
  void Resolve(uint32_t i);
  bool read_words() const { return read_words_; }  // of any lock so far
  // Whoever comes along may end the wait.
  static void WaitForAnyone(ModelNode& node);
  // As far as was seen, one of those who help at what node i waits for, in this mode.
  void WaitForHelpers(uint32_t i);

 private:
  ModelNode& Node(uint32_t i) { return index_.Node(i); }
  void ReadWord(ModelNode& node);
  void ResolvePromised(uint32_t i);
  void ResolveFolded(uint32_t i);
  void ResolveOwned(uint32_t i);
  void ResolveSharedLock(uint32_t i, const std::vector<Holder>& seats,
                         const std::vector<Holder>& readers, uint64_t read_holds);
  void ResolveSemaphore(uint32_t i);
  void WaitForSeat(uint32_t i, const std::vector<Holder>& seats);
  void WaitForOwner(uint32_t i, const std::vector<Holder>& owners);
  void WaitForNamedOwner(uint32_t i, const std::vector<Holder>& recorded);
  void WaitBehindReaders(uint32_t i, const std::vector<Holder>& readers, bool writers_first);

  const ModelInput& in_;
  const bool asking_;
  WaitIndex& index_;
  bool read_words_ = false;
};

}  // namespace lockwarden
