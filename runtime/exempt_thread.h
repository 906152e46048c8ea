// A thread of Lockwarden's own in somebody else's process (an exporter's): what it locks is not
// recorded, and it is not judged.
//
// Called by such a thread, first thing; for good. Found by dlsym, as lockwarden_recorder_v1 is: the
// recorder may be the preload's or the linked library's, or there may be none.
#pragma once

extern "C" __attribute__((visibility("default"))) void lockwarden_exempt_thread_v1();
