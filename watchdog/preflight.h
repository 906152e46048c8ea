// Preflight: will the loader load our recorder into this program? Looked at before the
// start, so that "nothing was recorded" is said and not found out.
//
// Reads: the program's file. Must never: stop the program from being run.
// Thread safety: no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace lockwarden {

// What an executable file is to the loader.
enum class ImageKind {
  kDynamic,     // of our class and machine, with an interpreter: loads a preload
  kStatic,      // no interpreter: LD_PRELOAD means nothing to it
  kOtherClass,  // 32-bit where we are 64-bit, or another machine
  kOtherLibc,   // musl's loader: our library would keep the program from starting
  kScript,      // "#!": see `interpreter`
  kUnknown,     // neither ELF nor script, or damaged: exec will tell
};
struct ImageFacts {
  ImageKind kind = ImageKind::kUnknown;
  std::string interpreter;  // kScript: the program that runs it; else the loader
  bool address_sanitizer = false;  // asks for gcc's run time, which wants to be preloaded first
};

// Reads up to `size` bytes at `offset`; returns how many there were.
using ReadAt = std::function<size_t(uint64_t offset, void* out, size_t size)>;
// Pure; trusts nothing in the file.
ImageFacts ReadImage(const ReadAt& read);

struct PreflightResult {
  bool records = true;  // the recorder will load
  bool preload = true;  // LD_PRELOAD may be set: false where it would break or garble the program
  std::string reason;   // !records: "is statically linked", ...: what follows the program's name
  bool address_sanitizer = false;  // as in ImageFacts
};
// `path` as found by FindProgram. A script is judged by its interpreter.
PreflightResult Preflight(const std::string& path);

// The file that execvp would run, or empty: `search` is PATH, null when unset.
std::string FindProgram(const std::string& name, const char* search);

}  // namespace lockwarden
