// Names of functions as a person reads them: demangled, without parameters and
// return type ("bank::Account::transfer"), since file and line stand beside them.
//
// Pure functions. Must never: throw, or return less than what was given when a name
// is of a form not known here.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace lockwarden {

// `symbol` as it stands in a symbol table or in DW_AT_linkage_name.
std::string ReadableFunctionName(const char* symbol);

// A symbol without what a compiler appends to a copy of a function that it made:
// "f.constprop.0", "f.lto_priv.3", "f.cold".
std::string WithoutCloneSuffix(const std::string& symbol);

// A demangled name without its parameters, qualifiers and return type:
// "void ns::f<int>(int) const" -> "ns::f<int>".
std::string WithoutSignature(absl::string_view demangled);

}  // namespace lockwarden
