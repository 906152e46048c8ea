// What a process that is not recorded says: one line to a person, one message to the
// supervisor.
//
// Used by: the recorder, when it steps aside. Must never: block, raise a signal, or write
// into a file that the program has opened itself.
#pragma once

#include <sys/uio.h>

namespace lockwarden::ledger {

// At load: standard error, as the program was started with. Closed, or another file by the
// time of a line: the line is not written.
void RememberStandardError();
void WriteLine(const iovec* parts, int count);
// Whether it still is that file.
bool StandardErrorIsOurs();

// Tells the supervisor that this process is not recorded, so that it is counted. False:
// there is none, or it cannot be reached.
bool SendStepAside(const char* reason);
// The same where no call can be risked but those that the loader has made: a number in a file
// of the supervisor's moves.
void TallyStepAside();

}  // namespace lockwarden::ledger
