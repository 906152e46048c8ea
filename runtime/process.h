// Process life: how an image gets its ledger, hands it over, and what a fork means.
//
// Written by: the one thread that wins the gate's kNew -> kInitialising. Read by: hooks.
// Must never: take the program down. If no ledger can be had, recording steps aside: one
// line on standard error, and the program runs.
#pragma once

#include <cstdint>

#include "runtime/gate.h"
#include "runtime/sandbox.h"

namespace lockwarden::ledger {

// Maps a ledger for this image if there is none yet. True if it records now.
bool InitialiseProcess();
// Gives up recording, for good in this image; says why, once, as far as that can be said.
void StepAside(const char* reason, Tried allowed = Tried::kAll);

// What the child of a fork must know of its parent's thread. Held locks by address, since
// the child's ledger is new.
struct InheritedHolds {
  static constexpr uint32_t kCapacity = 64;
  struct Hold {
    uint64_t address;
    uint64_t site;
    uint32_t kind_and_flags;
    uint8_t mode;
  };
  uint64_t stack_size = 0;  // bytes; 0: not known
  uint32_t count = 0;
  Hold holds[kCapacity];
};
// In the parent, before fork: what the calling thread holds, and where it runs.
void CollectHolds(InheritedHolds* out);

// Copies a NUL-terminated string into the name table; 0 when it is full (counted).
uint32_t InternName(const Ledger& ledger, const char* text);
// Maps and formats a segment, sized to the process's limits; *fd is the memfd. False: errno
// style reason in *reason.
bool CreateSegment(Ledger* ledger, int* fd, const char** reason);
// The beginning of a file, NUL-terminated; its length, 0 if it cannot be read.
long ReadSmallFile(const char* path, char* buffer, uint64_t size);
// Sends the segment to the supervisor or helper named in the settings, and closes fd. False: there
// is none, or it does not answer.
bool HandOver(const Ledger& ledger, int fd);
// What it returned last, in this image.
bool HandedOver();
// Moves the ledger into a new memfd, at the address that it has; returns that, or -errno and
// nothing has changed. For a process whose one thread does nothing meanwhile.
long MoveSegment(const Ledger& ledger);

}  // namespace lockwarden::ledger
