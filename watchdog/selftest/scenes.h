// Scenes: programs that really hang, one way each, for `lockwarden selftest`. Each runs under
// `lockwarden run`, in a process of its own.
//
// Thread safety: no state.
#pragma once

#include <string>

#include "absl/types/span.h"

namespace lockwarden {

struct HangScene {
  const char* name;
  const char* what;      // hangs, in a few words
  const char* expected;  // kind of the finding; empty: none is wanted, for `reason`
  const char* reason;    // why there is none, or what is special; empty: nothing
  enum class Surroundings { kOrdinary, kFullDisk, kSilentScrapers } surroundings;
  void (*hang)();  // does not return
};
absl::Span<const HangScene> Scenes();

// Plays the scene: says "stuck" on standard output just before it hangs, and stays.
[[noreturn]] void Play(const HangScene& scene);

}  // namespace lockwarden
