// OwnLedger: the ledger of this very process, whichever library records it.
//
// Thread safety: no state.
#pragma once

#include <memory>

#include "watchdog/snapshot.h"

namespace lockwarden {

// Null while there is none: nothing was recorded yet, or recording was given up. The reader is
// good as long as the process lives, and not in a forked child.
std::unique_ptr<LedgerReader> FindOwnLedger();

}  // namespace lockwarden
