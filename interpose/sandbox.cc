// A program that confines itself with seccomp: known before the filter is there, so that
// the recorder makes no system call that the filter could forbid.
#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>

#include "interpose/helper.h"
#include "interpose/real.h"
#include "runtime/sandbox.h"

using namespace lockwarden;
using namespace lockwarden::interpose;

LOCKWARDEN_HOOK int prctl(int option, ...) noexcept {
  // As many as the kernel takes, whether they were passed or not: so does libc's own.
  va_list list;
  va_start(list, option);
  unsigned long more[4];
  for (unsigned long& value : more) value = va_arg(list, unsigned long);
  va_end(list);
  if (option != PR_SET_SECCOMP) {
    const int rc = Real().prctl(option, more[0], more[1], more[2], more[3]);
    if (rc == 0) NotePrctl(option, more[0]);
    return rc;
  }
  ledger::NoteSeccomp();
  const int rc = Real().prctl(option, more[0], more[1], more[2], more[3]);
  if (rc != 0) ledger::NoteNoSeccomp();
  return rc;
}

extern "C" {
using SyscallFunction = long (*)(long, long, long, long, long, long, long);
extern __attribute__((visibility("hidden"))) SyscallFunction lockwarden_real_syscall;  // futex.cc

// syscall(SYS_seccomp, ...): how libseccomp installs a filter, for all threads too.
__attribute__((used, visibility("hidden"))) long LockwardenSeccompCall(long number, long operation,
                                                                       long flags,
                                                                       long arguments) {
  const bool confines = operation == SECCOMP_SET_MODE_STRICT || operation == SECCOMP_SET_MODE_FILTER;
  if (confines) ledger::NoteSeccomp();
  const long rc = lockwarden_real_syscall(number, operation, flags, arguments, 0, 0, 0);
  // A listener's descriptor is success; else a positive number names a thread that could not
  // be confined with the others, and nothing was installed.
  const bool listens = (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
  if (confines && (rc < 0 || (rc > 0 && !listens))) ledger::NoteNoSeccomp();
  return rc;
}
}
