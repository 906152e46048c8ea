// How the preload calls the helper (`lockwarden watch`), a process that judges a program which
// nobody supervises: what stands open in it, and what its environment says.
//
//   the program, before its first thread       the helper
//   child A: a new memfd for the ledger,
//            a socket for forked children
//   child B: those, and standard error, as     LOCKWARDEN_SOCKET: token and name of that socket
//            the descriptors below, then exec  LOCKWARDEN_OPTIONS: as the program was started with
//   A exits and is reaped, B belongs to init   current directory: the program's at its start
//
// Written by: interpose/helper.cc. Read by: watchdog/helper_command.cc.
#pragma once

namespace lockwarden::ledger {

inline constexpr char kHelperCommand[] = "watch";
inline constexpr char kHelperVariable[] = "LOCKWARDEN_HELPER";  // its path, instead of the usual
// Standard input and output are /dev/null, standard error is the program's.
inline constexpr int kHelperLedger = 3;    // memfd
inline constexpr int kHelperProgram = 4;   // pidfd
inline constexpr int kHelperListener = 5;  // where forked children register
inline constexpr int kHelperDescriptors = 6;

// Sent to the socket of a supervisor or helper by who only wants to know whether it is there.
inline constexpr char kPing[8] = {'L', 'K', 'W', 'P', 'I', 'N', 'G', '?'};

}  // namespace lockwarden::ledger
