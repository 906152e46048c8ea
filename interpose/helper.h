// The helper: a process beside a program that nobody supervises, which reads its ledger and
// judges. Started before the program's first thread; see docs/interposition.md.
//
// Written by: the thread that loads the library, and the one that starts the helper. Must never:
// leave a descriptor, a child or a changed signal mask behind in the program.
#pragma once

namespace lockwarden::interpose {

// At load: notes what the helper must know and the program may have changed by the time.
void PrepareHelper();
// Before a thread is created: starts a helper if this process is recorded, has no thread yet, and
// nobody has its ledger.
void ConsiderHelper();

// The program has made this call: who adopts orphans would find the helper among its children, and
// who names its tracer keeps that.
void NotePrctl(int option, unsigned long value);

}  // namespace lockwarden::interpose
