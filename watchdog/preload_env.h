// PreloadEnv: the environment in which PROGRAM is started, and where our library lies.
// Thread safety: no state.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "watchdog/options.h"

namespace lockwarden {

// liblockwarden_preload.so, looked for relative to the directory that our executable is
// in: ../lib, ../lib/lockwarden, the directory itself. Errors: one line that names them.
absl::StatusOr<std::string> FindPreload(const std::string& executable_directory);

// `existing` with `library` before it, once; AddressSanitizer's run time must stay first.
std::string JoinPreload(const std::string& library, const std::string& existing);

struct EnvironmentChange {
  std::string library;  // empty: LD_PRELOAD stays as it is
  std::string socket;   // value of LOCKWARDEN_SOCKET
  std::string options;  // value of LOCKWARDEN_OPTIONS
  bool address_sanitizer = false;  // its run time must not insist on being preloaded first
};
// `environment` ("NAME=value" each, in its order) with our variables set or added.
std::vector<std::string> BuildEnvironment(const std::vector<std::string>& environment,
                                          const EnvironmentChange& change);

// What the recorder is told. Only what concerns it: a `lockwarden run` that PROGRAM starts
// reads the same variable, and must not inherit our port or our restarts.
std::string RecorderOptions(const Options& options);

}  // namespace lockwarden
