// One step of the unwinder: finds the call frame information of a pc and applies it.
//
// Read by: unwinder.cc. Must never: allocate, lock, or read a stack address outside
// the bounds it was given (a bad table must not be able to fault the program).
#pragma once

#include <cstdint>

namespace lockwarden::ledger {

// DWARF register numbers of x86-64.
enum RegisterNumber : uint32_t { kRbx = 3, kRbp = 6, kRsp = 7, kRip = 16, kRegisters = 17 };

struct Registers {
  uint64_t value[kRegisters] = {};
};

struct StackBounds {
  uint64_t low = 0;
  uint64_t high = 0;
  bool Contains(uint64_t address) const {
    return address >= low && address < high && high - address >= sizeof(uint64_t) &&
           address % sizeof(uint64_t) == 0;
  }
};

struct StepResult {
  uint64_t cfa = 0;
  uint64_t return_slot = 0;  // stack address of the return address; 0 if not on the stack
  bool signal_frame = false;
  bool outermost = false;    // the tables say that there is no caller
};

// Turns the registers of a frame into those of its caller. False: no tables, or they
// ask for something outside the bounds; *registers is then meaningless.
bool StepFrame(uint64_t lookup_pc, const StackBounds& bounds, Registers* registers,
               StepResult* result);

}  // namespace lockwarden::ledger
