// The variable that lies at an address of a process, by the symbols of its modules.
// Not thread-safe: libdwfl is not.
#pragma once

#include <cstdint>
#include <string>

struct Dwfl;

namespace lockwarden {

// "accounts_lock", "accounts+0x28"; empty: none that has a symbol.
std::string VariableOf(Dwfl* dwfl, uint64_t address);

}  // namespace lockwarden
