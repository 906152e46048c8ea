// DWARF's numbers: System V ABI, AMD64 supplement, figure 3.36; ABI for the Arm 64-bit
// architecture, "DWARF register names".
#include "watchdog/inspect/registers.h"

#include <iterator>

namespace lockwarden {

#if defined(__x86_64__)

Registers Registers::FromUser(const user_regs_struct& user) {
  const uint64_t in_order[] = {user.rax, user.rdx, user.rcx, user.rbx, user.rsi, user.rdi,
                               user.rbp, user.rsp, user.r8,  user.r9,  user.r10, user.r11,
                               user.r12, user.r13, user.r14, user.r15, user.rip};
  static_assert(std::size(in_order) == kCount);
  Registers registers;
  for (unsigned i = 0; i < kCount; ++i) registers.Set(i, in_order[i]);
  registers.pc = user.rip;
  return registers;
}

void ReadSystemCall(const user_regs_struct& user, KernelThread* thread) {
  thread->syscall = static_cast<int64_t>(user.orig_rax);
  const uint64_t arguments[] = {user.rdi, user.rsi, user.rdx, user.r10, user.r8, user.r9};
  for (size_t i = 0; i < 6; ++i) thread->syscall_args[i] = arguments[i];
  thread->stack_pointer = user.rsp;
  thread->pc = user.rip;
}

#else

Registers Registers::FromUser(const user_regs_struct& user) {
  Registers registers;
  for (unsigned i = 0; i < 31; ++i) registers.Set(i, user.regs[i]);
  registers.Set(kStackPointer, user.sp);
  registers.pc = user.pc;
  return registers;
}

// x0 holds the first argument before the call and its result after it: what stands there now
// is left out, and /proc's own reading, if there is one, stays.
void ReadSystemCall(const user_regs_struct& user, KernelThread* thread) {
  thread->stack_pointer = user.sp;
  thread->pc = user.pc;
}

#endif

std::optional<Registers> Registers::FromKernel(const KernelThread& thread) {
  if (thread.stack_pointer == 0 || thread.pc == 0) return std::nullopt;
  Registers registers;
  registers.Set(kStackPointer, thread.stack_pointer);
#if defined(__x86_64__)
  registers.Set(16, thread.pc);
#endif
  registers.pc = thread.pc;
  return registers;
}

}  // namespace lockwarden
