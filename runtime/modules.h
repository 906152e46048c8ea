// The module table: path, load address and build id of each loaded object, so that a
// process can be symbolised when it is dead.
//
// dlopen is not interposed: it looks at its caller (RUNPATH, $ORIGIN, namespace), and libc
// loads objects by itself without it (character sets, name services, libgcc). Instead a
// module is noted when its code first turns up in a stack or as a site, through glibc's
// lock-free _dl_find_object: it lies on that stack, so it stays loaded meanwhile.
//
// Written by: any thread. Read by: readers. Must never: call dl_iterate_phdr on a lock's
// path, since that takes the loader's lock.
#pragma once

#include <cstdint>

#include "runtime/ledger.h"

namespace lockwarden::ledger {

// Notes every object that is loaded now. Takes the loader's lock: only when the library is
// loaded.
void RecordModules(const Ledger& ledger);
// The same, from another image's ledger: takes no lock.
void CopyModules(const Ledger& from, const Ledger& to);
// Notes the modules that these return addresses lie in, where that is news. Takes no lock.
void NoteModulesOf(const Ledger& ledger, const uint64_t* pcs, uint32_t count);
// Something may have been unloaded: what was goes out of use, with the locks that lay in
// it, and remembered stacks are asked for anew. Takes no lock.
void ForgetUnloaded();

}  // namespace lockwarden::ledger
