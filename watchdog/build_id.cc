// The GNU build id stands in a note segment of the executable, which the kernel has mapped.
#include "watchdog/build_id.h"

#include <elf.h>
#include <link.h>

#include <cstring>

#include "absl/strings/escaping.h"

namespace lockwarden {
namespace {

size_t Aligned(size_t size) { return (size + 3) & ~size_t{3}; }

// Called for the executable first, which is all that is asked for.
int FindNote(dl_phdr_info* info, size_t, void* out) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const char* at = reinterpret_cast<const char*>(info->dlpi_addr + segment.p_vaddr);
    const char* const end = at + segment.p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at, sizeof note);
      const char* const name = at + sizeof note;
      const char* const content = name + Aligned(note.n_namesz);
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
          std::memcmp(name, "GNU", 4) == 0 && content + note.n_descsz <= end) {
        *static_cast<std::string*>(out) = absl::BytesToHexString({content, note.n_descsz});
        return 1;
      }
      at = content + Aligned(note.n_descsz);
    }
  }
  return 1;
}

}  // namespace

std::string OwnBuildId() {
  std::string id;
  dl_iterate_phdr(FindNote, &id);
  return id.empty() ? "none" : id;
}

}  // namespace lockwarden
