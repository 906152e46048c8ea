// Thread slots: how a thread comes by its record, and when the record may be used again.
//
// Written by: the creating thread (claim), the thread itself (bind, exit). A slot is free
// again only when the kernel says that its tid is gone: thread-local destructors lock and
// unlock after the start routine has returned.
// Must never: allocate. System calls here are a few per thread's life.
#pragma once

#include <cstdint>

#include "runtime/gate.h"

namespace lockwarden::ledger {

// Claims a slot (state kStarting) for a thread about to be created; kNoIndex when all are
// taken (counted).
uint32_t ClaimThreadSlot(uint64_t start_routine);
// The creation failed: gives the slot back.
void AbandonThreadSlot(uint32_t slot);
// The calling thread takes a claimed slot as its own. `stack_size` in bytes; 0: not known.
void BindThread(uint32_t slot, uint64_t stack_size);
// Claims and binds in one step, for a thread that was not seen being created.
bool RegisterThisThread();
// The slot of the thread with this pthread_t; kNoIndex if it is not known. Threads that are
// gone may have had the same: the one that lives counts, or else the newest.
uint32_t FindThreadSlot(uint64_t pthread_self);
// The calling thread is about to end itself.
void NoteExit(ThreadRecord* record, uint64_t site, uint64_t cfa);
// The thread was joined, so the kernel has let go of it. `slot` and `serial` are what was
// found before, kNoIndex if it had no record then. The slot may be another's by now, and so
// may the descriptor: then nothing happens.
void ThreadWasJoined(uint32_t slot, uint32_t serial, uint64_t pthread_self);
// Once an image, before threads: how large their stacks are by default, and the key whose
// destructor tells that a thread is ending.
void PrepareThreads();

}  // namespace lockwarden::ledger
