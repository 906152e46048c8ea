// lockwarden::Lock, linked: what the instrumented type costs beside std::mutex.
#include "bench/lock_cases.h"
#include "lockwarden/lock.h"

int main(int argc, char** argv) {
  return lockwarden::bench::RunCases<lockwarden::Lock>(argc, argv);
}
