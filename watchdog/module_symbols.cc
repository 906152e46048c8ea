// From an address in one module to names and lines; see module_symbols.h.
#include "watchdog/module_symbols.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>

#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "watchdog/compile_units.h"
#include "watchdog/debug_file.h"
#include "watchdog/function_name.h"

namespace lockwarden {
namespace {

// The file is given when the module is reported: there is nothing more to find.
int NoElf(Dwfl_Module*, void**, const char*, Dwarf_Addr, char**, Elf**) { return -1; }

const Dwfl_Callbacks kCallbacks = {
    .find_elf = NoElf,
    .find_debuginfo = FindDebugFile,
    .section_address = nullptr,  // relocatable files only
    .debuginfo_path = nullptr,
};

// What libdw allocates with malloc for an array of DIEs.
struct Scopes {
  Dwarf_Die* dies = nullptr;
  int count = 0;
  Scopes() = default;
  Scopes(const Scopes&) = delete;
  Scopes& operator=(const Scopes&) = delete;
  ~Scopes() { std::free(dies); }
};

// The declaration behind a definition or an inlined copy: it stands in its class.
Dwarf_Die Origin(Dwarf_Die die) {
  constexpr int kMaxSteps = 8;  // a broken file may point in circles
  for (int i = 0; i < kMaxSteps; ++i) {
    Dwarf_Attribute attribute;
    Dwarf_Die target;
    if (dwarf_attr(&die, DW_AT_abstract_origin, &attribute) == nullptr &&
        dwarf_attr(&die, DW_AT_specification, &attribute) == nullptr) {
      break;
    }
    if (dwarf_formref_die(&attribute, &target) == nullptr) break;
    die = target;
  }
  return die;
}

// "ns::Class::name" out of the DIE's surroundings, where there is no linkage name
// (constructors, C).
std::string QualifiedName(Dwarf_Die* die) {
  const char* own = dwarf_diename(die);
  if (own == nullptr) return "";
  std::string name = own;
  Dwarf_Die origin = Origin(*die);
  Scopes around;
  around.count = dwarf_getscopes_die(&origin, &around.dies);
  for (int i = 1; i < around.count; ++i) {
    const int tag = dwarf_tag(&around.dies[i]);
    if (tag != DW_TAG_namespace && tag != DW_TAG_class_type && tag != DW_TAG_structure_type &&
        tag != DW_TAG_union_type) {
      continue;
    }
    const char* outer = dwarf_diename(&around.dies[i]);
    if (outer == nullptr) outer = tag == DW_TAG_namespace ? "(anonymous namespace)" : "{unnamed}";
    name = absl::StrCat(outer, "::", name);
  }
  return name;
}

std::string NameOf(Dwarf_Die* die) {
  Dwarf_Attribute attribute;
  for (unsigned which : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    if (dwarf_attr_integrate(die, which, &attribute) == nullptr) continue;
    if (const char* symbol = dwarf_formstring(&attribute)) return ReadableFunctionName(symbol);
  }
  return QualifiedName(die);
}

// A path as the compiler was given it: relative to where it ran, if it lies there.
std::string ShortPath(const char* path, Dwarf_Die* unit) {
  if (path == nullptr) return "";
  absl::string_view rest = path;
  Dwarf_Attribute attribute;
  if (dwarf_attr(unit, DW_AT_comp_dir, &attribute) != nullptr) {
    const char* directory = dwarf_formstring(&attribute);
    if (directory != nullptr && absl::ConsumePrefix(&rest, directory)) {
      return absl::ConsumePrefix(&rest, "/") && !rest.empty() ? std::string(rest) : path;
    }
  }
  return path;
}

struct Place {
  std::string file;
  int line = 0;
};

Place LineAt(Dwarf_Die* unit, Dwarf_Addr address) {
  Place place;
  Dwarf_Line* line = dwarf_getsrc_die(unit, address);
  if (line == nullptr) return place;
  place.file = ShortPath(dwarf_linesrc(line, nullptr, nullptr), unit);
  if (dwarf_lineno(line, &place.line) != 0) place.line = 0;
  return place;
}

Place CallSite(Dwarf_Die* inlined, Dwarf_Die* unit) {
  Place place;
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  Dwarf_Files* files = nullptr;
  if (dwarf_attr(inlined, DW_AT_call_file, &attribute) != nullptr &&
      dwarf_formudata(&attribute, &value) == 0 && dwarf_getsrcfiles(unit, &files, nullptr) == 0) {
    place.file = ShortPath(dwarf_filesrc(files, value, nullptr, nullptr), unit);
  }
  if (dwarf_attr(inlined, DW_AT_call_line, &attribute) != nullptr &&
      dwarf_formudata(&attribute, &value) == 0) {
    place.line = static_cast<int>(value);
  }
  return place;
}

StackFrame FrameOf(std::string function, const Place& place, bool inlined) {
  StackFrame frame;
  frame.function = std::move(function);
  // A line is worth nothing without its file, nor a file without a line.
  if (!place.file.empty() && place.line > 0) {
    frame.file = place.file;
    frame.line = place.line;
  }
  frame.inlined = inlined;
  return frame;
}

// Appends the function that holds `address` and what is inlined there, outermost first,
// searching below `parent`. Not dwarf_getscopes: that fails where an inlined function was
// defined in another compile unit, as with link-time optimisation.
bool FindFunctions(Dwarf_Die* parent, Dwarf_Addr address, std::vector<Dwarf_Die>* path) {
  Dwarf_Die child;
  if (dwarf_child(parent, &child) != 0) return false;
  do {
    switch (dwarf_tag(&child)) {
      case DW_TAG_subprogram:
      case DW_TAG_entry_point:
      case DW_TAG_inlined_subroutine:
        if (dwarf_haspc(&child, address) <= 0) break;
        path->push_back(child);
        FindFunctions(&child, address, path);
        return true;
      case DW_TAG_lexical_block:
      case DW_TAG_try_block:
      case DW_TAG_catch_block:
        if (dwarf_haspc(&child, address) > 0) return FindFunctions(&child, address, path);
        break;
      case DW_TAG_namespace:
      case DW_TAG_class_type:
      case DW_TAG_structure_type:
      case DW_TAG_union_type:
        if (FindFunctions(&child, address, path)) return true;
        break;
      default:
        break;
    }
  } while (dwarf_siblingof(&child, &child) == 0);
  return false;
}

// The functions that an address is in, from the innermost inlined one outwards; empty
// if debug information names none.
StackTrace Functions(Dwarf_Die* unit, Dwarf_Addr address, Place place) {
  std::vector<Dwarf_Die> path;
  FindFunctions(unit, address, &path);
  StackTrace frames;
  for (auto die = path.rbegin(); die != path.rend(); ++die) {
    const bool inlined = dwarf_tag(&*die) == DW_TAG_inlined_subroutine;
    frames.push_back(FrameOf(NameOf(&*die), place, inlined));
    if (!inlined) break;
    place = CallSite(&*die, unit);
  }
  return frames;
}

}  // namespace

std::unique_ptr<ModuleSymbols> ModuleSymbols::Open(UniqueFd file, const std::string& path,
                                                   uint64_t bias) {
  Dwfl* dwfl = dwfl_begin(&kCallbacks);
  if (dwfl == nullptr) return nullptr;
  std::unique_ptr<ModuleSymbols> symbols(new ModuleSymbols);
  symbols->dwfl_ = dwfl;
  dwfl_report_begin(dwfl);
  symbols->module_ = dwfl_report_elf(dwfl, path.c_str(), path.c_str(), file.get(), bias,
                                     /*add_p_vaddr=*/true);
  if (symbols->module_ != nullptr) file.release();  // libdwfl closes it from now on
  dwfl_report_end(dwfl, nullptr, nullptr);
  if (symbols->module_ == nullptr) return nullptr;
  symbols->units_ = std::make_unique<CompileUnits>(symbols->module_);
  return symbols;
}

ModuleSymbols::~ModuleSymbols() { dwfl_end(dwfl_); }

StackTrace ModuleSymbols::At(uint64_t address) {
  Dwarf_Addr bias = 0;
  StackTrace frames;
  Place place;
  if (Dwarf_Die* unit = units_->Find(address, &bias)) {
    place = LineAt(unit, address - bias);
    frames = Functions(unit, address - bias, place);
  }
  if (frames.empty()) {
    GElf_Off offset = 0;
    GElf_Sym symbol;
    const char* name =
        dwfl_module_addrinfo(module_, address, &offset, &symbol, nullptr, nullptr, nullptr);
    frames.push_back(FrameOf(ReadableFunctionName(name), place, /*inlined=*/false));
  }
  return frames;
}

}  // namespace lockwarden
