// ModuleSymbols: one program or library at its load address, and what its symbols and
// its debug information say about addresses in it (elfutils' libdwfl).
//
// Separate debug files are looked for in /usr/lib/debug by build id, and by debug link
// beside the file and below /usr/lib/debug. Must never: ask a debuginfod server, unless
// watchdog/debug_file.h was told to; that is why libdwfl's standard way is not used.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "watchdog/elf_file.h"
#include "watchdog/finding.h"

struct Dwfl;
struct Dwfl_Module;

namespace lockwarden {

class CompileUnits;

class ModuleSymbols {
 public:
  // `file` is the module's own file, already known to be the right one; `bias` as in
  // ledger::ModuleRecord::base. Null when it is no file that libdwfl can use.
  static std::unique_ptr<ModuleSymbols> Open(UniqueFd file, const std::string& path,
                                             uint64_t bias);
  ~ModuleSymbols();

  // Function, file and line at `address`, preceded by what is inlined there, innermost
  // first; never empty. Only those fields are filled in.
  StackTrace At(uint64_t address);

 private:
  ModuleSymbols() = default;

  Dwfl* dwfl_ = nullptr;
  Dwfl_Module* module_ = nullptr;
  std::unique_ptr<CompileUnits> units_;
};

}  // namespace lockwarden
