// What a new thread needs to know before it runs: its routine, its argument, its slot.
// Kept in private memory beside the ledger, one place a slot, so that creating a thread
// allocates nothing.
//
// Written by: the creating thread. Read by: the created one, once. A place belongs to
// whoever owns the slot (thread_record.h, "Life of a slot").
#pragma once

#include <cstdint>

namespace lockwarden::ledger {

struct StartInfo {
  void* (*routine)(void*) = nullptr;
  void* argument = nullptr;
  uint64_t epoch = 0;       // of the image that prepared it
  uint64_t stack_size = 0;  // bytes; 0: the default
  uint32_t slot = 0;
};

// Takes the memory for it now: later it may not be had.
void ReserveThreadStarts();
// Null when no slot is free: create the thread without.
StartInfo* PrepareThreadStart(void* (*routine)(void*), void* argument, uint64_t stack_size);
void AbandonThreadStart(StartInfo* info);
// In the new thread.
void BindStartedThread(const StartInfo* info);
// The same, and then the routine: what runs first in a new thread. Its frame stays at the bottom
// of the thread's stack; it has no handlers, so cancellation and exceptions pass as they would
// through libc's own.
void* RunStartedThread(void* info);
uint32_t ThreadSerial(uint32_t slot);

}  // namespace lockwarden::ledger
