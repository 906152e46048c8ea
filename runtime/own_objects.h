// The library's own locks as the recorder knows them: each format with its kind in the ledger.
//
// Used by: the recorder's tables. Must never: hold anything of its own.
#pragma once

#include "runtime/own_acquire.h"
#include "runtime/shared_word.h"

namespace lockwarden::ledger {

using LockObject = OwnObject<OwnLock, LockKind::kLock>;
using RLockObject = OwnObject<OwnLock, LockKind::kRLock, kRecursive>;
using SharedObject = OwnObject<OwnShared, LockKind::kSharedLock>;
using ExclusiveObject = OwnObject<OwnExclusive, LockKind::kSharedLock>;
using UpgradeObject = OwnObject<OwnUpgrade, LockKind::kSharedLock>;

}  // namespace lockwarden::ledger
