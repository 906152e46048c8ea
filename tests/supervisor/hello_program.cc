// Registers a ledger with the `lockwarden run` that started it, or fails to: the process
// tests' stand-in for a recorder that is broken, old, or somebody else's.
#include <cstdlib>
#include <string>

#include "hello_client.h"

int main(int argc, char** argv) {
  using lockwarden::Mistake;
  const std::string what = argc > 1 ? argv[1] : "";
  const Mistake mistake = what == "token"     ? Mistake::kToken
                          : what == "garbage" ? Mistake::kGarbage
                                              : Mistake::kNone;
  const char* variable = std::getenv("LOCKWARDEN_SOCKET");
  return variable != nullptr && lockwarden::SendHello(variable, mistake) ? 0 : 1;
}
