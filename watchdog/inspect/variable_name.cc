#include "watchdog/inspect/variable_name.h"

#include <elfutils/libdwfl.h>

#include "absl/strings/str_cat.h"
#include "watchdog/function_name.h"

namespace lockwarden {

std::string VariableOf(Dwfl* dwfl, uint64_t address) {
  Dwfl_Module* module = dwfl_addrmodule(dwfl, address);
  if (module == nullptr) return "";
  GElf_Off offset = 0;
  GElf_Sym symbol = {};
  const char* name =
      dwfl_module_addrinfo(module, address, &offset, &symbol, nullptr, nullptr, nullptr);
  if (name == nullptr || GELF_ST_TYPE(symbol.st_info) != STT_OBJECT || offset >= symbol.st_size) {
    return "";
  }
  const std::string readable = ReadableFunctionName(name);
  return offset == 0 ? readable : absl::StrCat(readable, "+0x", absl::Hex(offset));
}

}  // namespace lockwarden
