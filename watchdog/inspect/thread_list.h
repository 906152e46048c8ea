// The threads of a process: their tids as we see them and as the process itself does, which
// differ in another pid namespace. Thread safety: no state.
#pragma once

#include <cstdint>
#include <vector>

namespace lockwarden {

struct ThreadId {
  uint32_t tid = 0;
  uint32_t inside = 0;  // 0: not known
};

// By tid, the main thread first; empty: there is no such process, or it may not be looked at.
std::vector<ThreadId> ThreadsOf(int pid);

// One of them that has memory: a main thread that called pthread_exit has none, and its
// /proc/PID/maps is empty though the process lives. `pid` if there is none.
int ThreadWithMemory(int pid, const std::vector<ThreadId>& threads);

// The process that a thread belongs to, both as we see them; 0: there is no such thread.
int ProcessOfThread(uint32_t tid);

}  // namespace lockwarden
