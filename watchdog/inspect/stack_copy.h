// StackCopy: the part of a thread's stack that is in use, copied while the thread stood still,
// and read from then on instead of the thread's memory.
//
// Not thread-safe; its buffer is used again for the next thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "watchdog/memory_map.h"

namespace lockwarden {

// Copies memory of a process by any of its threads that still has memory; no stopping. Returns
// how many bytes could be had, from the begin on.
size_t ReadRemote(pid_t thread, uint64_t address, void* out, size_t size);

class StackCopy {
 public:
  // What lies above is read from the living thread, if anybody asks for it.
  static constexpr size_t kMostBytes = 256 << 10;

  // From the stack pointer to the end of its mapping, or kMostBytes. False: nothing there.
  bool Take(pid_t thread, uint64_t stack_pointer, const std::vector<MemoryMapping>& map);
  // False: not in the copy and not in memory.
  bool Read(uint64_t address, uint64_t* word);

  // Words that lie on this stack were read after the thread had gone on.
  bool read_beyond() const { return read_beyond_; }
  uint64_t begin() const { return begin_; }

 private:
  pid_t thread_ = 0;
  uint64_t begin_ = 0, mapping_end_ = 0;
  size_t size_ = 0;
  std::vector<char> bytes_;
  bool read_beyond_ = false;
};

}  // namespace lockwarden
