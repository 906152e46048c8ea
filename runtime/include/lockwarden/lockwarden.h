// Everything a C++ program needs of Lockwarden.
#pragma once

#include "lockwarden/acquire.h"      // IWYU pragma: export
#include "lockwarden/assertions.h"   // IWYU pragma: export
#include "lockwarden/barrier.h"      // IWYU pragma: export
#include "lockwarden/condition.h"    // IWYU pragma: export
#include "lockwarden/deadlock.h"     // IWYU pragma: export
#include "lockwarden/event.h"        // IWYU pragma: export
#include "lockwarden/future.h"       // IWYU pragma: export
#include "lockwarden/heartbeat.h"    // IWYU pragma: export
#include "lockwarden/jthread.h"      // IWYU pragma: export
#include "lockwarden/lock.h"         // IWYU pragma: export
#include "lockwarden/order.h"        // IWYU pragma: export
#include "lockwarden/queue.h"        // IWYU pragma: export
#include "lockwarden/rlock.h"        // IWYU pragma: export
#include "lockwarden/semaphore.h"    // IWYU pragma: export
#include "lockwarden/shared_lock.h"  // IWYU pragma: export
#include "lockwarden/thread.h"       // IWYU pragma: export
