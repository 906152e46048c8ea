// What each thread of ours does first, in a service that is itself recorded.
//
// Thread safety: acts on the calling thread.
#pragma once

namespace lockwarden {

// Names it, and takes it out of the recording, if there is any.
void BeginOwnThread(const char* name);

}  // namespace lockwarden
