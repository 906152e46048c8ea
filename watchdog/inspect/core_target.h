// CoreTarget: a process as its core file shows it: threads, registers, memory, modules.
//
// elfutils reads the file; what a truncated one lacks is said, and the rest is used. A core has
// no thread names, no states and no signal handlers; a thread counts as asleep if its registers
// say that it was in a system call.
// Not thread-safe. Must never: trust an offset or a size in the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "watchdog/inspect/thread_stacks.h"
#include "watchdog/judge.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

class CoreTarget {
 public:
  // `exe`: the program; empty: where the core says it was. Errors: one line.
  static absl::StatusOr<std::unique_ptr<CoreTarget>> Open(const std::string& core,
                                                          const std::string& exe);
  ~CoreTarget();

  int pid() const;
  std::string program() const;  // path; the name alone if the core has no path
  int signal() const;           // that it died of; 0: none
  KernelView* kernel();
  // For Symbolizer::Update with pid 0.
  std::vector<ModuleInfo> Modules() const;
  ProcessStacks Stacks(const StackLimits& limits, StackResolver* resolver);
  std::string VariableAt(uint64_t address) const;
  // What is missing, in sentences.
  const std::vector<std::string>& notes() const;

 private:
  class Impl;
  explicit CoreTarget(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockwarden
