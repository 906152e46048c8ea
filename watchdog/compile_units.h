// CompileUnits: which compile unit of a module an address belongs to.
//
// libdwfl only looks into .debug_aranges, which clang does not write; this reads the
// units' own ranges, once, when it is first asked. Not thread-safe.
#pragma once

#include <elfutils/libdwfl.h>

#include <cstdint>
#include <vector>

namespace lockwarden {

class CompileUnits {
 public:
  explicit CompileUnits(Dwfl_Module* module) : module_(module) {}

  // The unit's DIE, and in *bias what to subtract from an address before asking the
  // unit; null if no unit claims the address. Valid as long as the module.
  Dwarf_Die* Find(uint64_t address, Dwarf_Addr* bias);

 private:
  struct Range {
    uint64_t begin, end;  // run-time addresses
    Dwarf_Die* unit;
    Dwarf_Addr bias;
  };
  void ReadRanges();

  Dwfl_Module* module_;
  bool read_ = false;
  std::vector<Range> ranges_;  // by begin; they do not overlap in a sound file
};

}  // namespace lockwarden
