#include "tests/runtime/unwinder_chain.h"

#include <alloca.h>

namespace lockwarden::ledger {

__attribute__((noinline)) uint64_t RecurseWithoutFramePointer(int depth, Leaf leaf, void* context) {
  // Read before and after the call: lives in a callee-saved register, or in the frame.
  volatile uint64_t source = static_cast<uint64_t>(depth) * 3;
  const uint64_t a = source, b = source + 1, c = source + 2;
  uint64_t below = 0;
  if (depth == 0) {
    leaf(context);
  } else {
    below = RecurseWithoutFramePointer(depth - 1, leaf, context);
  }
  return a + b + c + below;
}

__attribute__((noinline)) uint64_t CallFromRealignedFrame(int bytes, Leaf leaf, void* context) {
  alignas(64) volatile unsigned char aligned[64];
  volatile unsigned char* space =
      static_cast<volatile unsigned char*>(alloca(static_cast<unsigned>(bytes)));
  space[0] = 1;
  aligned[0] = 1;
  leaf(context);
  return uint64_t{space[0]} + aligned[0] + reinterpret_cast<uintptr_t>(&aligned) % 64;
}

}  // namespace lockwarden::ledger
