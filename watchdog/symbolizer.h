// Symbolizer: return addresses to function, file and line, outside the program that
// is stuck (elfutils), so it works for a process that hangs in malloc or the loader,
// and for one that is dead.
//
// Not thread-safe. Must never: touch the program, or fetch anything over a network (but see
// LetFindDebugFileAskServers).
#pragma once

#include <memory>
#include <vector>

#include "watchdog/judge.h"
#include "watchdog/snapshot.h"

namespace lockwarden {

class Symbolizer : public StackResolver {
 public:
  Symbolizer();
  ~Symbolizer() override;

  // Modules known now: those of the ledger and, while the process lives, those in
  // /proc/PID/maps (libraries loaded since). pid 0: the process is gone. Cheap when
  // nothing has changed; what was learnt earlier is kept, so a dead process resolves.
  void Update(const std::vector<ModuleInfo>& modules, int pid);

  // Inlined functions come as frames of their own. Never fails: what is not known is
  // left empty, module and offset are given wherever a module is known.
  StackTrace Resolve(const std::vector<uint64_t>& pcs) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockwarden
