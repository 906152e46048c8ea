// Opening and reading ELF files of other processes; see elf_file.h.
#include "watchdog/elf_file.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace lockwarden {
namespace {

// O_NONBLOCK: opening a pipe must not wait for its other end.
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

bool IsRegular(int fd) {
  struct stat status;
  return fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

UniqueFd RegularOnly(int fd) {
  UniqueFd file(fd);
  return IsRegular(fd) ? std::move(file) : UniqueFd();
}

bool SameFile(const std::string& a, const std::string& b) {
  struct stat x, y;
  return stat(a.c_str(), &x) == 0 && stat(b.c_str(), &y) == 0 && x.st_dev == y.st_dev &&
         x.st_ino == y.st_ino;
}

// Calls visit(Elf*) with the file's ELF handle, which lives no longer than the call. Not
// mapped: a file that somebody cuts short meanwhile would kill us with SIGBUS.
template <class Visit>
void WithElf(int fd, Visit visit) {
  elf_version(EV_CURRENT);
  Elf* elf = elf_begin(fd, ELF_C_READ, nullptr);
  if (elf == nullptr) return;
  if (elf_kind(elf) == ELF_K_ELF) visit(elf);
  elf_end(elf);
}

}  // namespace

UniqueFd OpenRegular(const std::string& path) {
  struct stat status;
  // Asked before opening too: opening some devices has effects of its own.
  if (!absl::StartsWith(path, "/") || stat(path.c_str(), &status) != 0) return UniqueFd();
  if (!S_ISREG(status.st_mode)) return UniqueFd();
  return RegularOnly(open(path.c_str(), kOpenFlags));
}

UniqueFd OpenInRootOf(int pid, const std::string& path) {
  if (!absl::StartsWith(path, "/")) return UniqueFd();
  const std::string root_path = absl::StrCat("/proc/", pid, "/root");
  const UniqueFd root(open(root_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return UniqueFd();
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  // An absolute link in a container leads to the container's file, not to ours.
  how.resolve = RESOLVE_IN_ROOT;
  const UniqueFd found(static_cast<int>(
      syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof(how))));
  if (!IsRegular(found.get())) return UniqueFd();
  const std::string reopened = absl::StrCat("/proc/self/fd/", found.get());
  return RegularOnly(open(reopened.c_str(), kOpenFlags));
}

UniqueFd OpenMapping(int pid, uint64_t begin, uint64_t end) {
  const std::string path = absl::StrFormat("/proc/%d/map_files/%x-%x", pid, begin, end);
  return OpenRegular(path);
}

bool HasOtherRoot(int pid) {
  const std::string proc = absl::StrCat("/proc/", pid);
  return !SameFile(proc + "/root/", "/") || !SameFile(proc + "/ns/mnt", "/proc/self/ns/mnt");
}

std::optional<std::string> BuildIdOf(int fd) {
  std::optional<std::string> result;
  WithElf(fd, [&](Elf* elf) {
    const void* bits = nullptr;
    const ssize_t size = dwelf_elf_gnu_build_id(elf, &bits);
    result = size > 0 ? std::string(static_cast<const char*>(bits), static_cast<size_t>(size))
                      : std::string();
  });
  return result;
}

std::optional<uint64_t> LoadBias(int fd, uint64_t address, uint64_t offset) {
  std::optional<uint64_t> bias;
  WithElf(fd, [&](Elf* elf) {
    size_t count = 0;
    if (elf_getphdrnum(elf, &count) != 0) return;
    for (size_t i = 0; i < count && !bias; ++i) {
      GElf_Phdr header;
      if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) continue;
      if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
      // Mappings begin at whole pages, segments need not.
      const uint64_t begin = header.p_offset & ~uint64_t{4095};
      if (offset < begin || offset >= header.p_offset + header.p_filesz) continue;
      bias = address - offset + header.p_offset - header.p_vaddr;
    }
  });
  return bias;
}

}  // namespace lockwarden
