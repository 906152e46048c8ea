// Resolves the real functions, and opens the ledger when the library is loaded.
#include "interpose/real.h"

#include <stdarg.h>

#include "interpose/condition_versions.h"
#include "interpose/exec.h"
#include "interpose/helper.h"
#include "runtime/process.h"

namespace lockwarden::interpose {

namespace {

template <auto kMember, class Function>
struct ResolveFirst;
template <auto kMember, class Result, class... Parameters>
struct ResolveFirst<kMember, Result (*)(Parameters...)> {
  static Result Call(Parameters... parameters) {
    ResolveReal();
    return (real_functions.*kMember)(parameters...);
  }
};

// fcntl and fcntl64, whose argument is passed on as a word.
template <auto kMember, class Result>
struct ResolveFirst<kMember, Result (*)(int, int, ...)> {
  static Result Call(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    void* const argument = va_arg(arguments, void*);
    va_end(arguments);
    ResolveReal();
    return (real_functions.*kMember)(fd, command, argument);
  }
};

// libc has two versions of most condition functions. Another interposer behind us
// (ThreadSanitizer's) has none, and its function is neither of libc's: it gets its turn. A
// program linked against that one asks for no version, and comes to our older hooks.
void* NextCondition(const char* symbol, const char* version) {
  void* next = dlsym(RTLD_NEXT, symbol);
  void* newer = dlvsym(RTLD_NEXT, symbol, "GLIBC_2.3.2");
  void* older = dlvsym(RTLD_NEXT, symbol, "GLIBC_2.2.5");
  void* wanted = dlvsym(RTLD_NEXT, symbol, version);
  return (next == newer || next == older) && wanted != nullptr ? wanted : next;
}

// A variadic function has to be forwarded by its own words.
template <auto kMember, class Result, class First>
struct ResolveFirst<kMember, Result (*)(First, ...)> {
  static Result Call(First first, ...) {
    ResolveReal();
    va_list list;
    va_start(list, first);
    unsigned long more[4];
    for (unsigned long& value : more) value = va_arg(list, unsigned long);
    va_end(list);
    return (real_functions.*kMember)(first, more[0], more[1], more[2], more[3]);
  }
};

}  // namespace

constinit RealFunctions real_functions = {
#define LOCKWARDEN_STUB(member, result, symbol, parameters) \
  .member = ResolveFirst<&RealFunctions::member, result(*) parameters>::Call,
    LOCKWARDEN_REAL_FUNCTIONS(LOCKWARDEN_STUB) LOCKWARDEN_REAL_CONDITIONS(LOCKWARDEN_STUB)
        LOCKWARDEN_REAL_OLD_CONDITIONS(LOCKWARDEN_STUB)
#undef LOCKWARDEN_STUB
};

void ResolveReal() {
  // The resolver must not run inside a recorder's slow path that was entered by a lock
  // which dlsym itself takes: hooks step aside meanwhile.
  ledger::ThisThread& self = ledger::this_thread;
  const bool before = self.InRuntime();
  self.SetInRuntime(true);
  ResolveSyscall();  // first: dlsym may allocate, and allocators make system calls through it
#define LOCKWARDEN_RESOLVE(member, result, symbol, parameters) \
  real_functions.member = reinterpret_cast<decltype(real_functions.member)>(dlsym(RTLD_NEXT, symbol));
  LOCKWARDEN_REAL_FUNCTIONS(LOCKWARDEN_RESOLVE)
#undef LOCKWARDEN_RESOLVE
#define LOCKWARDEN_RESOLVE(member, result, symbol, parameters)               \
  real_functions.member = reinterpret_cast<decltype(real_functions.member)>( \
      NextCondition(symbol, "GLIBC_2.3.2"));
  LOCKWARDEN_REAL_CONDITIONS(LOCKWARDEN_RESOLVE)
#undef LOCKWARDEN_RESOLVE
#ifdef LOCKWARDEN_OLD_CONDITIONS
#define LOCKWARDEN_RESOLVE(member, result, symbol, parameters)               \
  real_functions.member = reinterpret_cast<decltype(real_functions.member)>( \
      NextCondition(symbol, "GLIBC_2.2.5"));
  LOCKWARDEN_REAL_OLD_CONDITIONS(LOCKWARDEN_RESOLVE)
#undef LOCKWARDEN_RESOLVE
#endif
  self.SetInRuntime(before);
}

namespace {

__attribute__((constructor(101))) void OnLoad() {
  ResolveReal();
  ResolveGuardsAtLoad();
  LookForPreload();
  ledger::InitialiseProcess();
  PrepareHelper();
}

}  // namespace
}  // namespace lockwarden::interpose
