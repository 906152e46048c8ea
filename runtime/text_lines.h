// The lines of one of /proc's files, however many and however long they are, in little stack.
//
// Called by: slow paths that ask the kernel something. Must never: allocate, or make a system
// call that the loader does not make as well.
#pragma once

#include <fcntl.h>

#include "runtime/raw_syscall.h"

namespace lockwarden::ledger {

// visit(line) for each, NUL-terminated and cut to its beginning: enough for a key and a number,
// or for the bounds of a mapping. False: the file cannot be read.
template <class Visit>
bool ForEachLine(const char* path, Visit visit) {
  const auto failed = [](long result) { return result < 0 && result > -4096; };
  const long fd = RawSyscall(SYS_openat, AT_FDCWD, AsLong(path), O_RDONLY | O_CLOEXEC);
  if (failed(fd)) return false;
  char line[64];
  char chunk[1024];
  unsigned length = 0;
  long got;
  while ((got = RawSyscall(SYS_read, fd, AsLong(chunk), sizeof(chunk))) > 0 && !failed(got)) {
    for (long i = 0; i < got; ++i) {
      if (chunk[i] != '\n') {
        if (length < sizeof(line) - 1) line[length++] = chunk[i];
        continue;
      }
      line[length] = '\0';
      length = 0;
      visit(static_cast<const char*>(line));
    }
  }
  RawSyscall(SYS_close, fd);
  return !failed(got);
}

}  // namespace lockwarden::ledger
