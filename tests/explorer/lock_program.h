// LockProgram: a small program that only takes and gives back locks: nested or hand over hand,
// by tries, with time limits, to read or to write, semaphores as locks and as events, threads
// created and joined, gates around opposite orders.
//
// Thread safety: values; none. Must never: depend on anything but the generator's seed.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace lockwarden::explorer {

inline constexpr size_t kThreads = 4, kObjects = 6;  // at most

enum class Kind : uint8_t { kMutex, kRwLock, kRwLockWriterFirst, kSemaphore };
enum class Op : uint8_t { kLock, kRead, kWrite, kWait, kUnlock, kPost, kCreate, kJoin };
enum class How : uint8_t { kPlain, kTry, kTimed };

struct Step {
  Op op = Op::kLock;
  How how = How::kPlain;
  uint8_t object = 0;     // or the thread that is created or joined
  uint8_t otherwise = 0;  // where to go on when a try or a timed wait fails
};

struct Object {
  Kind kind = Kind::kMutex;
  uint8_t units = 0;  // semaphores: to begin with
};

struct LockProgram {
  std::vector<Object> objects;
  std::vector<std::vector<Step>> threads;  // the first is main
};
LockProgram RandomProgram(std::mt19937& random);
std::string ToText(const LockProgram& program);

}  // namespace lockwarden::explorer
