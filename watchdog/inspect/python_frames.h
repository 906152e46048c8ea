// PythonFrames: which Python functions a thread is in, read out of CPython's own memory.
//
// CPython 3.11 and 3.12 on 64-bit machines: offsets from their pycore headers. The interpreter is
// found by its exported symbols _PyRuntime and Py_Version; any other version is named and left
// alone. Read while the process runs: a thread that waits does not change its frames.
// Not thread-safe. Must never: trust a pointer, a length or the end of a list.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/functional/function_ref.h"
#include "watchdog/finding.h"

namespace lockwarden {

struct PythonFrames {
  std::map<uint32_t, StackTrace> by_thread;  // tids as the process sees them; innermost first
  std::string note;                          // why there are none, though it is Python; a sentence
};

// `address_of`: of a variable of the interpreter; 0: there is none, so it is no Python.
using AddressOf = absl::FunctionRef<uint64_t(const char* name)>;
using ReadBytes = absl::FunctionRef<bool(uint64_t address, void* out, size_t size)>;
PythonFrames ReadPythonFrames(AddressOf address_of, ReadBytes read);

// The stack with Python's functions in place of the interpreter's own.
StackTrace WithPythonFrames(const StackTrace& stack, const StackTrace& python);

}  // namespace lockwarden
