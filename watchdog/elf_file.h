// ElfFile: a program or library on disk, opened with suspicion: its path came out of
// the memory of a process that may be broken.
//
// Thread safety: not thread-safe. Must never: open anything but a regular file, or
// wait for one (a path may name a pipe or a device).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "watchdog/unique_fd.h"

namespace lockwarden {

// Opens a regular file for reading, at an absolute path as we see it.
UniqueFd OpenRegular(const std::string& path);
// The same path as process `pid` sees it; symbolic links are followed within its root.
UniqueFd OpenInRootOf(int pid, const std::string& path);
// The file behind one mapping of a process, also when it has been deleted. Needs
// privileges that most callers do not have.
UniqueFd OpenMapping(int pid, uint64_t begin, uint64_t end);
// Whether a path means another file to that process than to us.
bool HasOtherRoot(int pid);

// The build id in raw bytes; empty: the file has none; nullopt: not an ELF file.
std::optional<std::string> BuildIdOf(int fd);

// The load bias of a file of which the executable segment that holds file offset
// `offset` is mapped at `address`; nullopt if it has no such segment.
std::optional<uint64_t> LoadBias(int fd, uint64_t address, uint64_t offset);

}  // namespace lockwarden
