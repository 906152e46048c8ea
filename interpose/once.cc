// One-time initialisation. The control word does not say who runs the routine, so the hook
// hands libc a routine of its own (RunOnce, below) which
//
//   BeginOnce   clears the wait, holds the control, leaves the hook's frame: what the
//               routine does are calls of the program, recorded like all others
//   (calls the program's routine)
//   EndOnce     no longer holds it; libc then marks the control done
//
// libc passes that routine nothing; it finds what to do in the wait that its thread has just
// published (WaitSlot: object is the control, peer the routine). So there is no list to
// keep, a routine may call pthread_once again, and a thread that only waits has nothing to
// undo. In a child that the routine forked, EndOnce finds the hold that was inherited.
//
// A routine may be left by an exception (std::call_once passes them on), by pthread_exit
// or by cancellation; libc then makes the control fresh again. RunOnce is no C++, which
// would need libstdc++ to have its frame cleaned up: the unwinder calls its personality.
#include "interpose/describe.h"
#include "interpose/real.h"
#include "runtime/recorder.h"

using namespace lockwarden;
using namespace lockwarden::interpose;
using ledger::InScope;
using ledger::Mode;

extern "C" {
// Called by libc in place of the program's routine.
__attribute__((visibility("hidden"))) void LockwardenRunOnce();
__attribute__((used, visibility("hidden"))) void (*LockwardenBeginOnce(const void** control))();
__attribute__((used, visibility("hidden"))) void LockwardenEndOnce(const void* control);
__attribute__((used, visibility("hidden"))) int LockwardenOnceUnwound(
    int version, int actions, uint64_t language, void* exception, void* context);
}

#if defined(__x86_64__)
__asm__(R"(
  .pushsection .text
  .hidden LockwardenRunOnce
  .globl LockwardenRunOnce
  .type LockwardenRunOnce, @function
LockwardenRunOnce:
  .cfi_startproc
  .cfi_personality 0x1b, LockwardenOnceUnwound
  endbr64
  subq $24, %rsp
  .cfi_adjust_cfa_offset 24
  leaq 8(%rsp), %rdi
  call LockwardenBeginOnce
  call *%rax
  movq 8(%rsp), %rdi
  call LockwardenEndOnce
  addq $24, %rsp
  .cfi_adjust_cfa_offset -24
  ret
  .cfi_endproc
  .size LockwardenRunOnce, . - LockwardenRunOnce
  .popsection
)");
#elif defined(__aarch64__)
__asm__(R"(
  .pushsection .text
  .hidden LockwardenRunOnce
  .globl LockwardenRunOnce
  .type LockwardenRunOnce, %function
LockwardenRunOnce:
  .cfi_startproc
  .cfi_personality 0x1b, LockwardenOnceUnwound
  stp x29, x30, [sp, #-32]!
  .cfi_def_cfa_offset 32
  .cfi_offset 29, -32
  .cfi_offset 30, -24
  mov x29, sp
  add x0, sp, #16
  bl LockwardenBeginOnce
  blr x0
  ldr x0, [sp, #16]
  bl LockwardenEndOnce
  ldp x29, x30, [sp], #32
  .cfi_restore 29
  .cfi_restore 30
  .cfi_def_cfa_offset 0
  ret
  .cfi_endproc
  .size LockwardenRunOnce, . - LockwardenRunOnce
  .popsection
)");
#endif

void (*LockwardenBeginOnce(const void** control))() {
  ledger::ThisThread& self = ledger::this_thread;
  const uint32_t index = self.Depth() - 1;  // the hook that libc was called from
  ledger::Frame& frame = self.record->FrameAt(index);
  const ledger::WaitSlot& wait = frame.wait;
  // Relaxed, all: own record.
  const ledger::PackedRef ref = wait.wait.load(std::memory_order_relaxed);
  const uint64_t routine = wait.peer.load(std::memory_order_relaxed);  // as above
  const uint64_t site = wait.site.load(std::memory_order_relaxed);     // as above
  const uint32_t stack = wait.stack.load(std::memory_order_relaxed);   // as above
  *control = reinterpret_cast<const void*>(wait.object.load(std::memory_order_relaxed));  // too
  ledger::EndWait(self.record, frame, /*acquired=*/true);
  ledger::PushHeld(self.record, index, ref, site, stack);
  self.LeaveFrame(index);
  return reinterpret_cast<void (*)()>(routine);
}

void LockwardenEndOnce(const void* control) {
  InScope(LOCKWARDEN_CFA, [] { return 0; }, [=](const auto& scope) {
    ledger::RecordRelease(scope, control);
    return 0;
  });
}

// The unwinder's two phases: it looks for a handler (there is none here), then cleans up.
int LockwardenOnceUnwound(int, int actions, uint64_t, void*, void*) {
  constexpr int kCleanupPhase = 2, kContinueUnwind = 8;
  if ((actions & kCleanupPhase) != 0) {
    InScope(LOCKWARDEN_CFA, [] { return 0; }, [](const auto& scope) {
      // Routines within routines are left from the inside, so it is the newest.
      ledger::ReleaseNewest(scope, ledger::LockKind::kOnce);
      return 0;
    });
  }
  return kContinueUnwind;
}

namespace {

bool LooksDone(const void* control) { return (PeekWord(control) & 2) != 0; }

// call(routine) is libc's function.
template <class Call>
LOCKWARDEN_INLINE int Once(const void* control, void (*routine)(), uint64_t cfa, uint64_t site,
                           Call call) {
  const auto plain = [=] { return call(routine); };
  if (LooksDone(control)) return plain();
  return InScope(cfa, plain, [=](const auto& scope) {
    const ledger::LockUse use =
        ledger::IdentifyLock(scope.record(), control, DescribeOnce, site, scope.cfa());
    ledger::ThisThread& self = ledger::this_thread;
    const uint32_t index = scope.frame_index();
    if (use.ref == 0) {
      self.LeaveFrame(index);  // the routine's calls are not this hook's
      return plain();
    }
    const ledger::PackedRef ref = use.ref | static_cast<uint8_t>(Mode::kExclusive);
    if (ledger::FindHeld(scope.record(), ledger::IndexOf(ref)) == nullptr) {
      ledger::RecordOrder(scope.record(), index, ref, site, scope.cfa());
    }
    ledger::BeginWait(scope, ref, control, reinterpret_cast<uint64_t>(routine), site);
    const int rc = call(LockwardenRunOnce);
    // The record may be gone if the routine forked; and if it ran, the wait is.
    if (self.Depth() == index + 1) ledger::EndWait(scope.record(), scope.frame(), false);
    return rc;
  });
}

}  // namespace

LOCKWARDEN_HOOK int pthread_once(pthread_once_t* control, void (*routine)()) {
  return Once(control, routine, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
              [=](void (*run)()) { return Real().once(control, run); });
}

LOCKWARDEN_HOOK void call_once(once_flag* control, void (*routine)()) {
  Once(control, routine, LOCKWARDEN_CFA, LOCKWARDEN_SITE,
       [=](void (*run)()) { return Real().call_once(control, run), 0; });
}
