// syscall(SYS_futex, ...): how C++20's semaphores, latches and barriers, std::future,
// absl::Mutex and others wait. A wait without a known owner is recorded as such.
//
// Every other system call that a program makes this way goes on to libc by a jump, with
// its registers and its stack as they came: vfork's child returns on the same stack, and
// some calls never return. So the entry is no C++.
//
// Written by: ResolveSyscall, idempotent. Read by: the entry.
#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "interpose/describe.h"
#include "interpose/real.h"
#include "runtime/recorder.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;
using ledger::Mode;

extern "C" {
using SyscallFunction = long (*)(long, long, long, long, long, long, long);
// Resolves all real functions, then goes on to libc's.
__attribute__((visibility("hidden"))) long LockwardenFirstSyscall(long, long, long, long, long,
                                                                  long, long);
__attribute__((used, visibility("hidden"))) SyscallFunction lockwarden_real_syscall =
    LockwardenFirstSyscall;
__attribute__((used, visibility("hidden"))) void LockwardenResolveReal() { ResolveReal(); }
__attribute__((used, visibility("hidden"))) long LockwardenFutexCall(long number, long word,
                                                                     long operation, long value,
                                                                     long timeout, long word2,
                                                                     long value3);
// In sandbox.cc.
__attribute__((visibility("hidden"))) long LockwardenSeccompCall(long number, long operation,
                                                                 long flags, long arguments);
}

#if defined(__x86_64__)
static_assert(SYS_futex == 202 && SYS_seccomp == 317);
#else
static_assert(SYS_futex == 98 && SYS_seccomp == 277);
#endif

#if defined(__x86_64__)
__asm__(R"(
  .pushsection .text
  .globl syscall
  .type syscall, @function
syscall:
  .cfi_startproc
  endbr64
  cmpq $202, %rdi
  je LockwardenFutexCall
  cmpq $317, %rdi
  je LockwardenSeccompCall
  jmpq *lockwarden_real_syscall(%rip)
  .cfi_endproc
  .size syscall, . - syscall

  .hidden LockwardenFirstSyscall
  .globl LockwardenFirstSyscall
  .type LockwardenFirstSyscall, @function
LockwardenFirstSyscall:
  .cfi_startproc
  endbr64
  pushq %rdi
  .cfi_adjust_cfa_offset 8
  pushq %rsi
  .cfi_adjust_cfa_offset 8
  pushq %rdx
  .cfi_adjust_cfa_offset 8
  pushq %rcx
  .cfi_adjust_cfa_offset 8
  pushq %r8
  .cfi_adjust_cfa_offset 8
  pushq %r9
  .cfi_adjust_cfa_offset 8
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  call LockwardenResolveReal
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %r9
  .cfi_adjust_cfa_offset -8
  popq %r8
  .cfi_adjust_cfa_offset -8
  popq %rcx
  .cfi_adjust_cfa_offset -8
  popq %rdx
  .cfi_adjust_cfa_offset -8
  popq %rsi
  .cfi_adjust_cfa_offset -8
  popq %rdi
  .cfi_adjust_cfa_offset -8
  jmpq *lockwarden_real_syscall(%rip)
  .cfi_endproc
  .size LockwardenFirstSyscall, . - LockwardenFirstSyscall
  .popsection
)");
#elif defined(__aarch64__)
__asm__(R"(
  .pushsection .text
  .globl syscall
  .type syscall, %function
syscall:
  .cfi_startproc
  cmp x0, #98
  b.eq LockwardenFutexCall
  cmp x0, #277
  b.eq LockwardenSeccompCall
  adrp x16, lockwarden_real_syscall
  ldr x16, [x16, #:lo12:lockwarden_real_syscall]
  br x16
  .cfi_endproc
  .size syscall, . - syscall

  .hidden LockwardenFirstSyscall
  .globl LockwardenFirstSyscall
  .type LockwardenFirstSyscall, %function
LockwardenFirstSyscall:
  .cfi_startproc
  stp x29, x30, [sp, #-80]!
  .cfi_def_cfa_offset 80
  .cfi_offset 29, -80
  .cfi_offset 30, -72
  stp x0, x1, [sp, #16]
  stp x2, x3, [sp, #32]
  stp x4, x5, [sp, #48]
  str x6, [sp, #64]
  bl LockwardenResolveReal
  ldp x0, x1, [sp, #16]
  ldp x2, x3, [sp, #32]
  ldp x4, x5, [sp, #48]
  ldr x6, [sp, #64]
  ldp x29, x30, [sp], #80
  .cfi_restore 29
  .cfi_restore 30
  .cfi_def_cfa_offset 0
  adrp x16, lockwarden_real_syscall
  ldr x16, [x16, #:lo12:lockwarden_real_syscall]
  br x16
  .cfi_endproc
  .size LockwardenFirstSyscall, . - LockwardenFirstSyscall
  .popsection
)");
#endif

namespace {

bool CanBlock(long operation) {
#ifndef FUTEX_LOCK_PI2
  constexpr long FUTEX_LOCK_PI2 = 13;
#endif
  switch (operation & ~long{FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME}) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_REQUEUE_PI:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2: return true;
    default: return false;
  }
}

// A hook in progress waits for the object at this very word (a static's guard): its wait
// says more than this one could.
bool IsWaitOfAHook(long word) {
  const ledger::ThisThread& self = ledger::this_thread;
  if (self.Depth() == 0 ||
      self.epoch != ledger::TheGate()->epoch.load(std::memory_order_acquire)) {  // G2
    return false;
  }
  // Relaxed, both: own record; a lock record's address is written once.
  const ledger::PackedRef ref =
      self.record->FrameAt(self.Depth() - 1).wait.wait.load(std::memory_order_relaxed);
  if (ref == 0 || ledger::ModeOf(ref) != Mode::kExclusive) return false;
  // Or the program has annotated what it waits for. Relaxed: as old as the lock's life.
  const uint32_t kind = self.locks[ledger::IndexOf(ref)].kind_and_flags.load(
      std::memory_order_relaxed);  // as above
  if (ledger::KindOf(kind) == ledger::LockKind::kUser) return true;
  return self.locks[ledger::IndexOf(ref)].address.load(std::memory_order_relaxed) ==  // as above
             static_cast<uint64_t>(word);
}

}  // namespace

long LockwardenFutexCall(long number, long word, long operation, long value, long timeout,
                         long word2, long value3) {
  const auto call = [=] {
    return lockwarden_real_syscall(number, word, operation, value, timeout, word2, value3);
  };
  if (!CanBlock(operation) || IsWaitOfAHook(word)) return call();
  const uint64_t site = LOCKWARDEN_SITE;
  return InScope(LOCKWARDEN_CFA, call, [=](const auto& scope) {
    const void* const object = reinterpret_cast<const void*>(word);
    const ledger::LockUse use =
        ledger::IdentifyLock(scope.record(), object, DescribeFutex, site, scope.cfa());
    if (use.ref == 0) return call();
    const uint8_t mode = static_cast<uint8_t>(Mode::kUnowned);
    ledger::PlainWait wait(scope, use.ref | mode | (timeout != 0 ? ledger::kTimed : 0), object, 0,
                           site);
    return call();
  });
}

namespace lockwarden::interpose {

void ResolveSyscall() {
  lockwarden_real_syscall = reinterpret_cast<SyscallFunction>(dlsym(RTLD_NEXT, "syscall"));
}

}  // namespace lockwarden::interpose
