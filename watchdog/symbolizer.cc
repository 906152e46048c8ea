// Keeps the table of modules and asks each one's symbols; see symbolizer.h.
//
// Files are opened when an address in them is first asked for, but at once where that
// may be too late: in another mount namespace or root, or when deleted, a file can be
// reached only through the living process.
#include "watchdog/symbolizer.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/strings/escaping.h"
#include "watchdog/elf_file.h"
#include "watchdog/memory_map.h"
#include "watchdog/module_symbols.h"

namespace lockwarden {
namespace {

struct Module {
  uint64_t begin = 0, end = 0;
  uint64_t base = 0;
  std::string path;
  std::string build_id;  // raw; empty: not known
  std::string map_path;  // what /proc/PID/maps calls it; empty: not compared yet

  UniqueFd file;  // held until it is needed; else opened by path
  bool tried = false;   // to make `symbols`
  std::unique_ptr<ModuleSymbols> symbols;
  std::unordered_map<uint64_t, StackTrace> cache;  // by return address

  bool Holds(uint64_t address) const { return begin <= address && address < end; }
};

bool SameModule(const ModuleInfo& a, const ModuleInfo& b) {
  return a.base == b.base && a.begin == b.begin && a.end == b.end && a.path == b.path &&
         a.build_id == b.build_id;
}

// Whether `fd` is the file that was loaded. Without two build ids to compare, the path
// is believed.
bool IsTheFile(int fd, const std::string& build_id) {
  if (fd < 0) return false;
  const std::optional<std::string> found = BuildIdOf(fd);
  if (!found.has_value()) return false;
  return found->empty() || build_id.empty() || *found == build_id;
}

}  // namespace

class Symbolizer::Impl {
 public:
  void Update(const std::vector<ModuleInfo>& modules, int pid);
  StackTrace Resolve(const std::vector<uint64_t>& pcs);

 private:
  void AddFromLedger(const ModuleInfo& info);
  void AddFromMaps();
  void AddMapping(const MemoryMapping& mapping);
  void Add(Module module);
  Module* Find(uint64_t address);
  UniqueFd OpenMapped(const MemoryMapping& mapping) const;
  // The module's file by any way there is; none if only other files can be found.
  UniqueFd OpenFile(const Module& module) const;
  void OpenSymbols(Module* module);
  const StackTrace& FramesAt(Module* module, uint64_t pc);

  std::vector<Module> modules_;  // by begin; never overlap
  std::vector<ModuleInfo> ledger_modules_;  // as last given
  int pid_ = 0;
  bool other_root_ = false;
  uint64_t executable_size_ = 0;
  bool maps_fresh_ = false;  // read since the last Update
};

void Symbolizer::Impl::Update(const std::vector<ModuleInfo>& modules, int pid) {
  pid_ = pid;
  maps_fresh_ = false;
  const bool changed = !std::equal(modules.begin(), modules.end(), ledger_modules_.begin(),
                                   ledger_modules_.end(), SameModule);
  if (changed) {
    other_root_ = pid > 0 && HasOtherRoot(pid);
    // The ledger's table only grows, so what is new differs from what stood there.
    for (size_t i = 0; i < modules.size(); ++i) {
      const bool known = i < ledger_modules_.size() && SameModule(modules[i], ledger_modules_[i]);
      if (!known) AddFromLedger(modules[i]);
    }
    ledger_modules_ = modules;
  }
  const uint64_t executable_size = pid > 0 ? ExecutableSize(pid) : 0;
  if (pid > 0 && (changed || executable_size != executable_size_)) AddFromMaps();
  executable_size_ = executable_size;
}

StackTrace Symbolizer::Impl::Resolve(const std::vector<uint64_t>& pcs) {
  if (pid_ > 0 && !maps_fresh_) AddFromMaps();
  StackTrace result;
  for (const uint64_t pc : pcs) {
    // A return address may be the first one behind its module or function.
    Module* module = pc == 0 ? nullptr : Find(pc - 1);
    if (module == nullptr) {
      StackFrame frame;
      frame.pc = pc;
      result.push_back(std::move(frame));
      continue;
    }
    const StackTrace& frames = FramesAt(module, pc);
    result.insert(result.end(), frames.begin(), frames.end());
  }
  return result;
}

void Symbolizer::Impl::AddFromLedger(const ModuleInfo& info) {
  if (info.begin >= info.end) return;
  Module module;
  module.begin = info.begin;
  module.end = info.end;
  module.base = info.base;
  module.path = info.path;
  module.build_id = info.build_id;
  const bool only_now = pid_ > 0 && (other_root_ || !OpenRegular(info.path).valid());
  if (only_now) module.file = OpenFile(module);
  Add(std::move(module));
}

void Symbolizer::Impl::AddFromMaps() {
  maps_fresh_ = true;
  other_root_ = HasOtherRoot(pid_);
  for (const MemoryMapping& mapping : ExecutableOf(ReadMemoryMap(pid_))) AddMapping(mapping);
}

void Symbolizer::Impl::AddMapping(const MemoryMapping& mapping) {
  Module* known = Find(mapping.begin);
  if (known != nullptr && known->map_path == mapping.path) return;
  UniqueFd file = OpenMapped(mapping);
  const std::string build_id = BuildIdOf(file.get()).value_or("");
  // The ledger has the path that the loader was given, which may be a link's: the build
  // ids tell whether another module stands there now.
  if (known != nullptr && (build_id.empty() || known->build_id.empty() ||
                           build_id == known->build_id)) {
    known->map_path = mapping.path;
    return;
  }
  Module module;
  module.begin = mapping.begin;
  module.end = mapping.end;
  module.base = mapping.begin - mapping.offset;
  module.path = module.map_path = mapping.path;
  module.build_id = build_id;
  if (const auto bias = LoadBias(file.get(), mapping.begin, mapping.offset)) {
    module.base = *bias;
    if (mapping.deleted || other_root_) module.file = std::move(file);
  } else {
    module.tried = true;  // module and offset are all there is
  }
  Add(std::move(module));
}

// What was loaded last is what stands there; the ones below it are gone.
void Symbolizer::Impl::Add(Module module) {
  std::erase_if(modules_, [&](const Module& old) {
    return old.begin < module.end && module.begin < old.end;
  });
  const auto place = std::upper_bound(
      modules_.begin(), modules_.end(), module.begin,
      [](uint64_t begin, const Module& other) { return begin < other.begin; });
  modules_.insert(place, std::move(module));
}

Module* Symbolizer::Impl::Find(uint64_t address) {
  auto after = std::upper_bound(
      modules_.begin(), modules_.end(), address,
      [](uint64_t a, const Module& module) { return a < module.begin; });
  if (after == modules_.begin() || !std::prev(after)->Holds(address)) return nullptr;
  return &*std::prev(after);
}

UniqueFd Symbolizer::Impl::OpenMapped(const MemoryMapping& mapping) const {
  if (mapping.deleted) return OpenMapping(pid_, mapping.begin, mapping.end);
  return other_root_ ? OpenInRootOf(pid_, mapping.path) : OpenRegular(mapping.path);
}

UniqueFd Symbolizer::Impl::OpenFile(const Module& module) const {
  UniqueFd file = other_root_ ? OpenInRootOf(pid_, module.path) : OpenRegular(module.path);
  if (IsTheFile(file.get(), module.build_id)) return file;
  if (pid_ <= 0 || module.path.empty() || module.path[0] != '/') return UniqueFd();
  for (const MemoryMapping& mapping : ExecutableOf(ReadMemoryMap(pid_))) {
    if (!module.Holds(mapping.begin)) continue;
    file = OpenMapping(pid_, mapping.begin, mapping.end);
    if (IsTheFile(file.get(), module.build_id)) return file;
  }
  file = OpenRegular(module.path);
  return IsTheFile(file.get(), module.build_id) ? std::move(file) : UniqueFd();
}

void Symbolizer::Impl::OpenSymbols(Module* module) {
  module->tried = true;
  UniqueFd file = std::move(module->file);
  if (!file.valid()) file = OpenFile(*module);
  if (!file.valid()) return;
  module->symbols = ModuleSymbols::Open(std::move(file), module->path, module->base);
}

const StackTrace& Symbolizer::Impl::FramesAt(Module* module, uint64_t pc) {
  const auto [entry, fresh] = module->cache.try_emplace(pc);
  if (!fresh) return entry->second;
  if (!module->tried) OpenSymbols(module);
  StackTrace frames = module->symbols ? module->symbols->At(pc - 1) : StackTrace(1);
  for (StackFrame& frame : frames) {
    frame.pc = pc;
    frame.module = module->path;
    frame.module_offset = pc - module->base;
    frame.build_id = absl::BytesToHexString(module->build_id);
  }
  return entry->second = std::move(frames);
}

Symbolizer::Symbolizer() : impl_(std::make_unique<Impl>()) {}
Symbolizer::~Symbolizer() = default;
void Symbolizer::Update(const std::vector<ModuleInfo>& modules, int pid) {
  impl_->Update(modules, pid);
}
StackTrace Symbolizer::Resolve(const std::vector<uint64_t>& pcs) { return impl_->Resolve(pcs); }

}  // namespace lockwarden
