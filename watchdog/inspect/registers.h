// A thread's registers, numbered as its processor's DWARF numbers them, so that an unwinder
// can start from them.
//
// Filled in by: whoever stopped the thread (all of them), or read its system call from /proc
// (stack pointer and program counter). Read by: the unwinder. A value.
#pragma once

#include <sys/user.h>

#include <bitset>
#include <cstdint>
#include <optional>

#include "watchdog/judge.h"

namespace lockwarden {

struct Registers {
#if defined(__x86_64__)
  static constexpr unsigned kCount = 17;  // rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15, rip
  static constexpr unsigned kStackPointer = 7;
#elif defined(__aarch64__)
  static constexpr unsigned kCount = 32;  // x0 to x30, sp
  static constexpr unsigned kStackPointer = 31;
#else
#error "registers of this processor are not known"
#endif
  uint64_t values[kCount] = {};
  std::bitset<kCount> known;
  uint64_t pc = 0;

  uint64_t stack_pointer() const { return values[kStackPointer]; }
  void Set(unsigned number, uint64_t value) {
    values[number] = value;
    known.set(number);
  }

  static Registers FromUser(const user_regs_struct& user);
  // What /proc/PID/task/TID/syscall tells; nullopt: it told nothing, or the thread was running.
  static std::optional<Registers> FromKernel(const KernelThread& thread);
};

// The system call that a stopped thread was interrupted in, into *thread; -1: in none.
void ReadSystemCall(const user_regs_struct& user, KernelThread* thread);

}  // namespace lockwarden
