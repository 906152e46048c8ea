// ELF headers, "#!" lines, set-id bits and file capabilities.
#include "watchdog/preflight.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "watchdog/unique_fd.h"

namespace lockwarden {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kOurMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kOurMachine = EM_AARCH64;
#endif

constexpr int kMostScripts = 5;  // as the kernel: a script may be run by a script
constexpr size_t kMostHeaders = 512;
constexpr size_t kLongestPath = 4096;

ImageFacts ReadScript(absl::string_view head) {
  const size_t end = head.find('\n');
  const size_t length = end == head.npos ? end : end - 2;
  const absl::string_view line = absl::StripAsciiWhitespace(head.substr(2, length));
  ImageFacts facts;
  facts.interpreter = std::string(line.substr(0, line.find_first_of(" \t")));
  facts.kind = facts.interpreter.empty() ? ImageKind::kUnknown : ImageKind::kScript;
  return facts;
}

// Where a loaded address lies in the file; nothing that is no file's: the largest number.
uint64_t FileOffset(const std::vector<Elf64_Phdr>& segments, uint64_t address) {
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
        address - segment.p_vaddr < segment.p_filesz) {
      return segment.p_offset + (address - segment.p_vaddr);
    }
  }
  return ~uint64_t{0};
}

// Whether a library of this name (any version) is among those that the image asks for.
bool Needs(const ReadAt& read, const std::vector<Elf64_Phdr>& segments, absl::string_view library) {
  std::vector<uint64_t> names;
  uint64_t strings = ~uint64_t{0};
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_DYNAMIC) continue;
    Elf64_Dyn entry;
    for (size_t i = 0; i < kMostHeaders; ++i) {
      const uint64_t at = segment.p_offset + i * sizeof entry;
      if (read(at, &entry, sizeof entry) != sizeof entry || entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_NEEDED) names.push_back(entry.d_un.d_val);
      if (entry.d_tag == DT_STRTAB) strings = FileOffset(segments, entry.d_un.d_ptr);
    }
  }
  if (strings == ~uint64_t{0}) return false;
  for (const uint64_t name : names) {
    char text[256] = {};
    read(strings + name, text, sizeof text - 1);
    if (absl::StartsWith(text, library)) return true;
  }
  return false;
}

ImageFacts ReadElf(const ReadAt& read) {
  Elf64_Ehdr header;
  ImageFacts facts;
  if (read(0, &header, sizeof header) != sizeof header) return facts;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != kOurMachine) {
    facts.kind = ImageKind::kOtherClass;
    return facts;
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return facts;
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kMostHeaders) return facts;
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  for (size_t i = 0; i < segments.size(); ++i) {
    Elf64_Phdr& segment = segments[i];
    if (read(header.e_phoff + i * sizeof segment, &segment, sizeof segment) != sizeof segment) {
      return facts;
    }
  }
  facts.address_sanitizer = Needs(read, segments, "libasan.so.");
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_INTERP) continue;
    if (segment.p_filesz > kLongestPath) return facts;
    std::string path(segment.p_filesz, '\0');
    path.resize(read(segment.p_offset, path.data(), path.size()));
    facts.interpreter = path.c_str();  // ends at its NUL
    facts.kind = absl::StrContains(facts.interpreter, "ld-musl") ? ImageKind::kOtherLibc
                                                                 : ImageKind::kDynamic;
    return facts;
  }
  facts.kind = ImageKind::kStatic;
  return facts;
}

// Whether exec raises privileges, so that the loader ignores LD_PRELOAD: the kernel's
// rule in cap_bprm_creds_from_file.
std::optional<std::string> PrivilegeRaise(const std::string& path) {
  struct stat file;
  struct statvfs mount;
  if (stat(path.c_str(), &file) != 0) return std::nullopt;
  if (statvfs(path.c_str(), &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0) return std::nullopt;
  if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return std::nullopt;
  if ((file.st_mode & S_ISUID) != 0 && file.st_uid != getuid()) return "is setuid";
  if ((file.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && file.st_gid != getgid()) {
    return "is setgid";
  }
  if (getuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) {
    return "has file capabilities";
  }
  return std::nullopt;
}

}  // namespace

ImageFacts ReadImage(const ReadAt& read) {
  char head[256] = {};
  const size_t got = read(0, head, sizeof head);
  if (got >= 2 && std::memcmp(head, "#!", 2) == 0) return ReadScript({head, got});
  if (got >= SELFMAG && std::memcmp(head, ELFMAG, SELFMAG) == 0) return ReadElf(read);
  return {};
}

PreflightResult Preflight(const std::string& path) {
  std::string image = path;
  ImageFacts facts;
  for (int i = 0; i < kMostScripts; ++i) {
    const UniqueFd fd(open(image.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd.valid()) return {};  // may be executable all the same: nothing to say
    facts = ReadImage([&fd](uint64_t offset, void* out, size_t size) -> size_t {
      const ssize_t got = pread(fd.get(), out, size, static_cast<off_t>(offset));
      return got < 0 ? 0 : static_cast<size_t>(got);
    });
    if (facts.kind != ImageKind::kScript) break;
    image = facts.interpreter;
  }
  const std::string by = image == path ? "" : absl::StrCat("is run by ", image, ", which ");
  switch (facts.kind) {
    case ImageKind::kStatic:
      return {false, true, absl::StrCat(by, "is statically linked")};
    case ImageKind::kOtherClass:
      return {false, false, absl::StrCat(by, "is built for another machine or word size")};
    case ImageKind::kOtherLibc:
      return {false, false, absl::StrCat(by, "uses another C library (", facts.interpreter, ")")};
    case ImageKind::kDynamic:
    case ImageKind::kScript:
    case ImageKind::kUnknown:
      break;
  }
  if (const auto raise = PrivilegeRaise(image)) return {false, true, absl::StrCat(by, *raise)};
  PreflightResult result;
  result.address_sanitizer = facts.address_sanitizer;
  return result;
}

std::string FindProgram(const std::string& name, const char* search) {
  if (absl::StrContains(name, "/")) return name;
  if (name.empty()) return "";
  for (absl::string_view directory :
       absl::StrSplit(search == nullptr ? "/bin:/usr/bin" : search, ':')) {
    const std::string path = absl::StrCat(directory.empty() ? "." : directory, "/", name);
    struct stat file;
    if (stat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) &&
        faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) {
      return path;
    }
  }
  return "";
}

}  // namespace lockwarden
