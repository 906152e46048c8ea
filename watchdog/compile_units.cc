// Reads the address ranges of all compile units; see compile_units.h.
#include "watchdog/compile_units.h"

#include <algorithm>

namespace lockwarden {

Dwarf_Die* CompileUnits::Find(uint64_t address, Dwarf_Addr* bias) {
  if (Dwarf_Die* unit = dwfl_module_addrdie(module_, address, bias)) return unit;
  if (!read_) ReadRanges();
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                [](uint64_t a, const Range& range) { return a < range.begin; });
  if (after == ranges_.begin() || address >= std::prev(after)->end) return nullptr;
  *bias = std::prev(after)->bias;
  return std::prev(after)->unit;
}

void CompileUnits::ReadRanges() {
  read_ = true;
  Dwarf_Addr bias = 0;
  Dwarf_Die* unit = nullptr;
  while ((unit = dwfl_module_nextcu(module_, unit, &bias)) != nullptr) {
    Dwarf_Addr base = 0, begin = 0, end = 0;
    for (ptrdiff_t next = 0; (next = dwarf_ranges(unit, next, &base, &begin, &end)) > 0;) {
      // begin 0 in the file: a function that the linker threw away.
      if (begin < end && begin != 0) ranges_.push_back({begin + bias, end + bias, unit, bias});
    }
  }
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
}

}  // namespace lockwarden
