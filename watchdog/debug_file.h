// Finding the file with a module's debug information on this machine's disk.
//
// Thread safety: the switch is set before the first search. Must never: fetch anything over a
// network, unless the user has asked for it.
#pragma once

#include <elfutils/libdwfl.h>

namespace lockwarden {

// For Dwfl_Callbacks::find_debuginfo. Looks for /usr/lib/debug/.build-id/xx/yy.debug, then
// for the debug link's file beside the module, in .debug/ there, and below /usr/lib/debug.
// A file with another build id than the module's is not taken.
int FindDebugFile(Dwfl_Module* module, void** userdata, const char* module_name, Dwarf_Addr base,
                  const char* file_name, const char* debuglink_file, GElf_Word debuglink_crc,
                  char** debuginfo_file_name);

// From now on, what is not on this machine is asked of the servers in DEBUGINFOD_URLS, which may
// take long: for a command that a person waits for, never for the supervisor.
void LetFindDebugFileAskServers();

}  // namespace lockwarden
