// Lock classes: all locks created, or first locked, at one site. Interned in the ledger.
//
// Written by: any thread, on the slow path of a lock's first use. Read by: readers, who
// group contention and predictions by class.
#pragma once

#include <cstdint>

#include "runtime/ledger.h"

namespace lockwarden::ledger {

// Index + 1 of the class of `site` and `kind`; 0 when the table is full (counted).
uint32_t ClassOf(const Ledger& ledger, uint64_t site, uint32_t stack, LockKind kind);

}  // namespace lockwarden::ledger
