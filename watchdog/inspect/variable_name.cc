#include "watchdog/inspect/variable_name.h"

#include <elfutils/libdwfl.h>

#include <cstring>

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

namespace {

struct Search {
  const char* part;
  const char* name;
  uint64_t address = 0;
};

int LookInto(Dwfl_Module* module, void**, const char* path, Dwarf_Addr, void* argument) {
  auto* search = static_cast<Search*>(argument);
  if (path == nullptr || std::strstr(path, search->part) == nullptr) return DWARF_CB_OK;
  const int count = dwfl_module_getsymtab(module);
  for (int i = 0; i < count; ++i) {
    GElf_Sym symbol = {};
    GElf_Addr address = 0;
    const char* name =
        dwfl_module_getsym_info(module, i, &symbol, &address, nullptr, nullptr, nullptr);
    if (name == nullptr || std::strcmp(name, search->name) != 0 || symbol.st_shndx == SHN_UNDEF ||
        GELF_ST_TYPE(symbol.st_info) != STT_OBJECT) {
      continue;
    }
    search->address = address;
    return DWARF_CB_ABORT;
  }
  return DWARF_CB_OK;
}

}  // namespace

uint64_t AddressOfVariable(Dwfl* dwfl, const char* part, const char* name) {
  Search search{part, name};
  dwfl_getmodules(dwfl, LookInto, &search, 0);
  return search.address;
}

}  // namespace lockwarden
