// The walk itself, for x86-64: registers in, one frame after another out. The tables
// are read by runtime/frame_rules.cc.
#include "runtime/unwinder.h"

#include <elf.h>
#include <sys/auxv.h>

#include "runtime/frame_rules.h"

namespace lockwarden::ledger {

#if defined(__x86_64__)

namespace {

// Where a frame's rules must be looked up: a return address may be the first byte
// after a call that never returns, so it belongs to the byte before it. A signal
// frame's pc was not a call.
uint64_t LookupPc(uint64_t pc, bool after_signal) { return after_signal ? pc : pc - 1; }

// The loader's first instructions, which call the constructors of libraries before main,
// have no tables: a walk that ends there has seen every caller.
bool IsLoaderStart(uint64_t pc) {
  constexpr uint64_t kStartCode = 64;  // bytes; sysdeps/x86_64/dl-machine.h, _dl_start_user
  const uint64_t base = getauxval(AT_BASE);
  if (base == 0) return false;
  const uint64_t entry = base + reinterpret_cast<const Elf64_Ehdr*>(base)->e_entry;
  return pc - entry < kStartCode;
}

}  // namespace

size_t UnwindCallers(uint64_t cfa, uint64_t stack_high, UnwindFrame* frames, size_t capacity,
                     bool* complete) {
  *complete = false;
  Registers registers;
  // This function's own frame is the first to be unwound, by its own tables; so the
  // callee-saved registers must be read before anything else could change them, and
  // any that the prologue has saved are found through those tables.
  __asm__ volatile(
      "movq %%rbx, 24(%0)\n\t"
      "movq %%rbp, 48(%0)\n\t"
      "movq %%rsp, 56(%0)\n\t"
      "movq %%r12, 96(%0)\n\t"
      "movq %%r13, 104(%0)\n\t"
      "movq %%r14, 112(%0)\n\t"
      "movq %%r15, 120(%0)\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "movq %%rax, 128(%0)\n"
      "1:\n\t"
      :
      : "r"(&registers.value[0])
      : "rax", "memory");
  const StackBounds bounds{registers.value[kRsp], stack_high};
  bool after_signal = true;  // the pc taken above is exact
  size_t count = 0;
  // Our own frames come first; a bound keeps a wrong cfa from walking to the top.
  for (int skipped = 0; skipped < 16 || count > 0;) {
    const uint64_t pc = registers.value[kRip];
    StepResult step;
    if (!StepFrame(LookupPc(pc, after_signal), bounds, &registers, &step)) {
      *complete = count > 0 && IsLoaderStart(pc);
      return count;
    }
    after_signal = step.signal_frame;
    if (after_signal && count > 0) frames[count - 1].trampoline = true;
    if (step.outermost || registers.value[kRip] == 0) {
      *complete = true;
      return count;
    }
    if (count == 0 && step.cfa < cfa) {
      ++skipped;
      continue;
    }
    if (count == 0 && step.cfa != cfa) return 0;  // walked past the hook: do not guess
    if (count == capacity) return count;
    frames[count++] = {registers.value[kRip], step.return_slot};
  }
  return count;
}

#else

// Other machines: the call site alone, until their register rules are written.
size_t UnwindCallers(uint64_t, uint64_t, UnwindFrame*, size_t, bool* complete) {
  *complete = false;
  return 0;
}

#endif

}  // namespace lockwarden::ledger
