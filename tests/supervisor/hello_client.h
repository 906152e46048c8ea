// HelloClient: what the recorder does to hand over a ledger, with every mistake it or an
// impostor could make. For tests of the registrar.
// Thread safety: no state.
#pragma once

#include <string>

namespace lockwarden {

enum class Mistake {
  kNone,
  kToken,        // another run's
  kMagic,
  kVersion,
  kUnsealed,     // could be shrunk under the reader's feet
  kGarbage,      // sealed, and not a ledger
  kNoDescriptor,
  kTwoDescriptors,
  kShort,        // the message is cut
  kSilence,      // connects and hangs up
};

// `variable` is LOCKWARDEN_SOCKET's value. True: it was sent (or hung up, as asked).
bool SendHello(const std::string& variable, Mistake mistake, bool by_abstract_name = false);

}  // namespace lockwarden
