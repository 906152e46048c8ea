#include "watchdog/inspect/stack_copy.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstring>

namespace lockwarden {

size_t ReadRemote(pid_t thread, uint64_t address, void* out, size_t size) {
  iovec local = {out, size};
  iovec remote = {reinterpret_cast<void*>(address), size};
  const ssize_t got = process_vm_readv(thread, &local, 1, &remote, 1, 0);
  return got < 0 ? 0 : static_cast<size_t>(got);
}

bool StackCopy::Take(pid_t thread, uint64_t stack_pointer, const std::vector<MemoryMapping>& map) {
  thread_ = thread;
  read_beyond_ = false;
  begin_ = stack_pointer;
  size_ = 0;
  // The thread may be younger than the map: then as much as there is in one piece.
  const MemoryMapping* mapping = FindMapping(map, stack_pointer);
  constexpr uint64_t kUnknown = 64 << 10;
  mapping_end_ = mapping != nullptr ? mapping->end : stack_pointer + kUnknown;
  const size_t wanted = std::min<uint64_t>(mapping_end_ - stack_pointer, kMostBytes);
  if (bytes_.size() < wanted) bytes_.resize(wanted);
  size_ = ReadRemote(thread, stack_pointer, bytes_.data(), wanted);
  return size_ != 0;
}

bool StackCopy::Read(uint64_t address, uint64_t* word) {
  if (address >= begin_ && address - begin_ < size_ &&
      size_ - (address - begin_) >= sizeof(*word)) {
    std::memcpy(word, bytes_.data() + (address - begin_), sizeof(*word));
    return true;
  }
  read_beyond_ |= address >= begin_ && address < mapping_end_;
  return ReadRemote(thread_, address, word, sizeof(*word)) == sizeof(*word);
}

}  // namespace lockwarden
