// AddressSanitizer's run time as a shared library (gcc's) insists on being first among the
// preloaded libraries, so that its malloc is. We have no malloc, and what we take over we
// pass on to the next, so that it gets its turn: the check may be left out.
#include "interpose/real.h"

// Looked for by the run time, which takes what it returns for the beginning of its options.
// A program that has a function of this name keeps it.
LOCKWARDEN_HOOK const char* __asan_default_options() { return "verify_asan_link_order=0"; }
