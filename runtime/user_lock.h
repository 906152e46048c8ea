// Locks of the program's own making, which annotate.h tells us of: a wait that begins in one
// call and ends in another, so that its frame stays open between them.
//
// Written by: the annotating thread, into its own record. Must never: rely on the program's
// keeping the protocol, beyond what is published in its name.
#pragma once

#include <cstdint>

namespace lockwarden::ledger {

// `cfa` and `site` are those of the annotation.
void UserAboutToWait(const void* lock, uint64_t site, uint64_t cfa);
void UserAcquired(const void* lock, uint64_t site, uint64_t cfa);
void UserReleased(const void* lock, uint64_t site, uint64_t cfa);
void UserNamed(const void* lock, const char* name, uint64_t site, uint64_t cfa);
void UserDestroyed(const void* lock, uint64_t site, uint64_t cfa);

}  // namespace lockwarden::ledger
