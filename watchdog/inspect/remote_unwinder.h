// RemoteUnwinder: from a thread's registers and a copy of its stack to its return addresses,
// in another process than the thread's (elfutils' libdwfl with accessors of our own).
//
// It uses .eh_frame, .debug_frame where there is no other, and frame pointers where there is
// neither. What it learns of a module is kept: the second thread is much cheaper.
// Not thread-safe. Must never: stop a thread, or ask a server for a file.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "watchdog/inspect/registers.h"

namespace lockwarden {

struct UnwoundStack {
  // Innermost first, as a Symbolizer wants them: pc - 1 lies in the instruction that the frame
  // stands at, also in the innermost one and where a signal interrupted it.
  std::vector<uint64_t> pcs;
  bool complete = false;  // down to where the thread began
  std::string why_not;    // what ended it early; empty when complete
};

class RemoteUnwinder {
 public:
  // Null when the process's map cannot be read.
  static std::unique_ptr<RemoteUnwinder> OfProcess(int pid);
  ~RemoteUnwinder();

  // `read`: a word of the thread's memory; false when it cannot be had.
  using ReadWord = absl::FunctionRef<bool(uint64_t address, uint64_t* word)>;
  UnwoundStack Unwind(const Registers& registers, ReadWord read, size_t most_frames);

  // The variable that an address lies in, "accounts_lock" or "accounts+0x28"; empty: none that
  // has a symbol.
  std::string VariableAt(uint64_t address);
  // Of a variable in a module whose path has `part` in it; 0: none.
  uint64_t AddressOf(const char* part, const char* variable);

 private:
  class Impl;
  explicit RemoteUnwinder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockwarden
