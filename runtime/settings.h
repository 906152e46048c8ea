// What the recorder was told: read once from the environment when the library is
// loaded, and inherited through memory by forks (daemons clear their environment).
//
// Written by: the first LoadSettings; whoever calls it meanwhile waits for that. Read by: the
// recorder.
// Must never: fail the program. An unknown key or a bad value is one line on standard
// error and the default stays.
#pragma once

#include <cstdint>

namespace lockwarden::ledger {

// order=: what becomes of an acquisition against the lock order; kNotGiven: nothing was said.
enum class OrderChoice : uint8_t { kNotGiven = 0, kOff = 1, kReport = 2, kThrow = 3, kAbort = 4 };

enum class StackMode : uint8_t { kOff, kSite, kFull };

struct Settings {
  // Lock order is recorded: profile=test predicts from it, and rules are held against it.
  bool order = false;
  bool rules = false;
  OrderChoice order_choice = OrderChoice::kNotGiven;  // for the linked types
  StackMode stacks = StackMode::kFull;
  char token[33] = {};         // empty: nobody asked for the ledger
  char socket_path[108] = {};  // sun_path
  // watchdog=: whether a helper judges a program that nobody supervises.
  bool helper = true;
};

extern Settings the_settings;  // written once, before the gate opens
inline const Settings& TheSettings() { return the_settings; }
// Idempotent, and any thread may be the first: several can meet here, where a program that links the
// recorder takes its first locks. They wait for the one that reads, which waits for nobody.
void LoadSettings();
// For tests: parses `options` and `socket` as the environment's values.
Settings ParseSettings(const char* options, const char* socket);

}  // namespace lockwarden::ledger
