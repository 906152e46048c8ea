// Call chains of shapes that a frame-pointer walk could not follow; compiled with its own
// flags. Each calls `leaf` at its end, through `depth` frames where it says so.
#pragma once

#include <cstdint>

namespace lockwarden::ledger {

using Leaf = void (*)(void* context);
// Recursion without frame pointers; every level keeps something in callee-saved registers.
uint64_t RecurseWithoutFramePointer(int depth, Leaf leaf, void* context);
// A frame whose stack is realigned to 64 bytes and of a size known only at run time.
uint64_t CallFromRealignedFrame(int bytes, Leaf leaf, void* context);

}  // namespace lockwarden::ledger
