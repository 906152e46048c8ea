// Whether a process may be looked into, and if not, what forbids it and what would help.
//
// ptrace(2), "Ptrace access mode checking", asks in this order: same user, dumpable, then the
// security modules (Yama, capabilities of the other, LSMs). Reads /proc only.
// Thread safety: no state.
#pragma once

#include <string>

namespace lockwarden {

struct Access {
  enum class Kind {
    kFull,
    kPartial,  // names and states of its threads, no more; `why` says why
    kNone,     // nothing to look at, or of a sort that cannot be looked at; `why`
  } kind = Kind::kFull;
  std::string why;   // a clause
  std::string help;  // what to do; a sentence, may be empty
};

Access CheckAccess(int pid);

}  // namespace lockwarden
