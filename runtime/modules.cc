// Modules come and go. See modules.h for when this runs.
//
//   M1 fields        relaxed   M2 ready = 1   release   pairs with M3: the record is whole
//   M3 ready         acquire
//
// Two threads may note one module at once: then it is there twice, and either is right.
#include "runtime/modules.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstring>

#include "runtime/lock_identity.h"
#include "runtime/process.h"
#include "runtime/this_clock.h"

// Weak: glibc before 2.35 does not have it; modules are then those of the start.
extern "C" int _dl_find_object(void*, struct dl_find_object*) noexcept __attribute__((weak));

namespace lockwarden::ledger {
namespace {

// What is known of a loaded object, however it was found.
struct Loaded {
  uint64_t base = 0;
  const char* path = nullptr;  // empty: the main program
  const ElfW(Phdr)* segments = nullptr;
  uint32_t segment_count = 0;
};

void CopyBuildId(const Loaded& loaded, const ElfW(Phdr)& segment, ModuleRecord* module) {
  const char* at = reinterpret_cast<const char*>(loaded.base + segment.p_vaddr);
  const char* end = at + segment.p_memsz;
  while (end - at >= static_cast<long>(sizeof(ElfW(Nhdr)))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, at, sizeof(note));
    const char* name = at + sizeof(note);
    const char* content = name + ((note.n_namesz + 3) & ~3u);
    if (content > end || note.n_descsz > static_cast<uint64_t>(end - content)) return;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0 &&
        note.n_descsz <= sizeof(module->build_id)) {
      std::memcpy(module->build_id, content, note.n_descsz);
      module->build_id_size.store(note.n_descsz, std::memory_order_relaxed);  // M1
      return;
    }
    at = content + ((note.n_descsz + 3) & ~3u);
  }
}

void Extent(const Loaded& loaded, uint64_t* begin, uint64_t* end) {
  *begin = ~uint64_t{0};
  *end = 0;
  for (uint32_t i = 0; i < loaded.segment_count; ++i) {
    const ElfW(Phdr)& segment = loaded.segments[i];
    if (segment.p_type != PT_LOAD) continue;
    const uint64_t from = loaded.base + segment.p_vaddr;
    if (from < *begin) *begin = from;
    if (from + segment.p_memsz > *end) *end = from + segment.p_memsz;
  }
}

uint32_t UsedModules(const Ledger& ledger) {
  const TableDirectoryEntry& table = ledger.header().tables[kModules];
  // Relaxed: a record that is missed is noted twice.
  const uint32_t used = table.used.load(std::memory_order_relaxed);
  return used < table.capacity ? used : table.capacity;
}

const char* PathOf(const Ledger& ledger, const char* loaders_name) {
  const bool main_program = loaders_name == nullptr || loaders_name[0] == '\0';
  return main_program ? ledger.header().program : loaders_name;
}

bool HasPath(const Ledger& ledger, const ModuleRecord& module, const char* path) {
  const char* known = ledger.Table<char>(kNames) + module.path.load(std::memory_order_relaxed);  // M1
  return std::strncmp(known, path, kMaxNameLength - 1) == 0;
}

// The record of the object that lies at this base under this name, in use or not.
ModuleRecord* FindModule(const Ledger& ledger, uint64_t base, const char* path) {
  ModuleRecord* modules = ledger.Table<ModuleRecord>(kModules);
  const uint32_t used = UsedModules(ledger);
  for (uint32_t i = 0; i < used; ++i) {
    if (modules[i].ready.load(std::memory_order_acquire) == 0) continue;  // M3
    if (modules[i].base.load(std::memory_order_relaxed) == base &&        // M1
        HasPath(ledger, modules[i], path)) {
      return &modules[i];
    }
  }
  return nullptr;
}

struct Range {
  uint64_t begin = 0, end = 0;
};

// Nothing can be told of a lock that lay there; what comes to stand there is another one.
void EndLivesIn(const Ledger& ledger, const Range* ranges, uint32_t count) {
  LockRecord* locks = ledger.Table<LockRecord>(kLocks);
  const TableDirectoryEntry& table = ledger.header().tables[kLocks];
  // Relaxed: a lock that is met from now on does not lie in what is gone.
  uint32_t used = table.used.load(std::memory_order_relaxed);
  if (used > table.capacity) used = table.capacity;
  for (uint32_t i = 0; i < used; ++i) {
    const uint64_t address = locks[i].address.load(std::memory_order_relaxed);  // written once
    for (uint32_t r = 0; r < count; ++r) {
      if (address < ranges[r].begin || address >= ranges[r].end) continue;
      if (const PackedRef life = FindLock(reinterpret_cast<const void*>(address))) {
        EndLockLife(life);
      }
    }
  }
}

void Retire(const Ledger& ledger, const Range* ranges, uint32_t count) {
  EndLivesIn(ledger, ranges, count);
  // Relaxed: see CaptureStack.
  ledger.header().module_generation.fetch_add(1, std::memory_order_relaxed);
}

// What libc unloads by itself passes no hook: it is found out when something else has taken
// its place.
void RetireWhatLayIn(const Ledger& ledger, const Range& range) {
  ModuleRecord* modules = ledger.Table<ModuleRecord>(kModules);
  const uint32_t used = UsedModules(ledger);
  for (uint32_t i = 0; i < used; ++i) {
    ModuleRecord& old = modules[i];
    if (old.ready.load(std::memory_order_acquire) == 0 ||             // M3
        old.unloaded_ns.load(std::memory_order_relaxed) != 0) {       // at leisure
      continue;
    }
    const Range its = {old.begin.load(std::memory_order_relaxed),     // M1
                       old.end.load(std::memory_order_relaxed)};      // M1
    if (its.begin >= range.end || range.begin >= its.end) continue;
    old.unloaded_ns.store(MonotonicNs(), std::memory_order_relaxed);  // at leisure
    Retire(ledger, &its, 1);
  }
}

void Record(const Ledger& ledger, const Loaded& loaded) {
  uint64_t begin = 0, end = 0;
  Extent(loaded, &begin, &end);
  const char* path = PathOf(ledger, loaded.path);
  if (end == 0) return;
  if (ModuleRecord* known = FindModule(ledger, loaded.base, path)) {
    // Unloaded, and loaded again to the same place.
    known->unloaded_ns.store(0, std::memory_order_relaxed);  // read beside `ready`, at leisure
    return;
  }
  RetireWhatLayIn(ledger, {begin, end});
  const uint32_t index = ledger.Allocate(kModules);
  if (index == kNoIndex) return;
  ModuleRecord& module = ledger.Table<ModuleRecord>(kModules)[index];
  module.base.store(loaded.base, std::memory_order_relaxed);               // M1, and so below
  module.begin.store(begin, std::memory_order_relaxed);                    // M1
  module.end.store(end, std::memory_order_relaxed);                        // M1
  module.path.store(InternName(ledger, path), std::memory_order_relaxed);  // M1
  module.loaded_ns.store(MonotonicNs(), std::memory_order_relaxed);        // M1
  for (uint32_t i = 0; i < loaded.segment_count; ++i) {
    const ElfW(Phdr)& segment = loaded.segments[i];
    const uint64_t note = loaded.base + segment.p_vaddr;
    if (segment.p_type == PT_NOTE && note >= begin && note + segment.p_memsz <= end) {
      CopyBuildId(loaded, segment, &module);
    }
  }
  module.ready.store(1, std::memory_order_release);  // M2
}

int RecordOne(dl_phdr_info* info, size_t, void* data) {
  Record(*static_cast<const Ledger*>(data),
         {info->dlpi_addr, info->dlpi_name, info->dlpi_phdr, info->dlpi_phnum});
  return 0;
}

// From the headers that the loader mapped with the object; nothing where it did not.
void RecordObject(const Ledger& ledger, const dl_find_object& object) {
  const auto* header = static_cast<const ElfW(Ehdr)*>(object.dlfo_map_start);
  const uint64_t size = static_cast<uint64_t>(static_cast<const char*>(object.dlfo_map_end) -
                                              static_cast<const char*>(object.dlfo_map_start));
  if (size < sizeof(*header) || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_phentsize != sizeof(ElfW(Phdr)) ||
      header->e_phoff > size || header->e_phnum > (size - header->e_phoff) / sizeof(ElfW(Phdr))) {
    return;
  }
  const link_map* map = object.dlfo_link_map;
  const char* segments = static_cast<const char*>(object.dlfo_map_start) + header->e_phoff;
  Record(ledger, {map->l_addr, map->l_name, reinterpret_cast<const ElfW(Phdr)*>(segments),
                  header->e_phnum});
}

bool IsLoaded(const ModuleRecord& module) {
  // The loader's record of an object that is just being unloaded must not be looked into.
  dl_find_object object;
  const uint64_t begin = module.begin.load(std::memory_order_relaxed);  // M1
  return _dl_find_object(reinterpret_cast<void*>(begin), &object) == 0 &&
         reinterpret_cast<uint64_t>(object.dlfo_map_start) == (begin & ~(kPageSize - 1));
}

}  // namespace

uint32_t InternName(const Ledger& ledger, const char* text) {
  uint32_t length = 0;
  while (length < kMaxNameLength - 1 && text[length] != '\0') ++length;
  const uint32_t offset = ledger.Allocate(kNames, length + 1);
  if (offset == kNoIndex) return 0;
  char* to = ledger.Table<char>(kNames) + offset;
  std::memcpy(to, text, length);
  to[length] = '\0';
  return offset;
}

void CopyModules(const Ledger& from, const Ledger& to) {
  const ModuleRecord* modules = from.Table<ModuleRecord>(kModules);
  const uint32_t used = UsedModules(from);
  for (uint32_t i = 0; i < used; ++i) {
    const ModuleRecord& old = modules[i];
    if (old.ready.load(std::memory_order_acquire) == 0) continue;           // M3
    if (old.unloaded_ns.load(std::memory_order_relaxed) != 0) continue;     // at leisure
    const uint32_t index = to.Allocate(kModules);
    if (index == kNoIndex) return;
    ModuleRecord& module = to.Table<ModuleRecord>(kModules)[index];
    module.base.store(old.base.load(std::memory_order_relaxed), std::memory_order_relaxed);    // M1
    module.begin.store(old.begin.load(std::memory_order_relaxed), std::memory_order_relaxed);  // M1
    module.end.store(old.end.load(std::memory_order_relaxed), std::memory_order_relaxed);      // M1
    const uint32_t path = old.path.load(std::memory_order_relaxed);                            // M1
    module.path.store(InternName(to, from.Table<char>(kNames) + path),
                      std::memory_order_relaxed);  // M1
    std::memcpy(module.build_id, old.build_id, sizeof(module.build_id));
    module.build_id_size.store(old.build_id_size.load(std::memory_order_relaxed),
                               std::memory_order_relaxed);  // M1
    module.ready.store(1, std::memory_order_release);       // M2
  }
}

void RecordModules(const Ledger& ledger) {
  dl_iterate_phdr(RecordOne, const_cast<Ledger*>(&ledger));
}

void NoteModulesOf(const Ledger& ledger, const uint64_t* pcs, uint32_t count) {
  if (_dl_find_object == nullptr) return;
  uint64_t begin = 0, end = 0;  // of the module noted last: neighbours mostly share it
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t pc = pcs[i] - 1;  // a return address may be the first one behind
    if (pc >= begin && pc < end) continue;
    dl_find_object object;
    if (_dl_find_object(reinterpret_cast<void*>(pc), &object) != 0) continue;
    begin = reinterpret_cast<uint64_t>(object.dlfo_map_start);
    end = reinterpret_cast<uint64_t>(object.dlfo_map_end);
    const link_map* map = object.dlfo_link_map;
    const ModuleRecord* known = FindModule(ledger, map->l_addr, PathOf(ledger, map->l_name));
    if (known == nullptr || known->unloaded_ns.load(std::memory_order_relaxed) != 0) {  // at leisure
      RecordObject(ledger, object);
    }
  }
}

void ForgetUnloaded() {
  const Ledger ledger = TheLedger();
  if (!ledger.mapped()) return;
  constexpr uint32_t kMost = 16;
  Range ranges[kMost];
  uint32_t gone = 0;
  ModuleRecord* modules = ledger.Table<ModuleRecord>(kModules);
  const uint32_t used = _dl_find_object == nullptr ? 0 : UsedModules(ledger);
  for (uint32_t i = 0; i < used && gone < kMost; ++i) {
    ModuleRecord& module = modules[i];
    if (module.ready.load(std::memory_order_acquire) == 0) continue;  // M3
    if (module.unloaded_ns.load(std::memory_order_relaxed) != 0 || IsLoaded(module)) continue;  // at leisure
    module.unloaded_ns.store(MonotonicNs(), std::memory_order_relaxed);  // as above
    ranges[gone++] = {module.begin.load(std::memory_order_relaxed),      // M1
                      module.end.load(std::memory_order_relaxed)};       // M1
  }
  // Where modules could not be noted any may be gone. Relaxed: a statistic.
  const bool any = used == 0 ||
                   ledger.header().tables[kModules].dropped.load(std::memory_order_relaxed) != 0;
  if (gone == 0 && !any) return;
  Retire(ledger, ranges, gone);
  if (gone == kMost) ForgetUnloaded();
}

}  // namespace lockwarden::ledger
