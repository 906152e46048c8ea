// Variables of a process by the symbols of its modules: the name at an address, and back.
// Not thread-safe: libdwfl is not.
#pragma once

#include <cstdint>
#include <string>

struct Dwfl;

namespace lockwarden {

// "accounts_lock", "accounts+0x28"; empty: none that has a symbol.
std::string VariableOf(Dwfl* dwfl, uint64_t address);

// Of the variable `name`, in a module whose path has `part` in it; 0: none.
uint64_t AddressOfVariable(Dwfl* dwfl, const char* part, const char* name);

}  // namespace lockwarden
