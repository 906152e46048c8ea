# `lockwarden inspect`: a process from outside, whether it has a ledger or not; and the stacks
# of all its threads, which reports show, too. Included by the room's CMakeLists.txt.
target_sources(lockwarden_watchdog PRIVATE
  inspect/registers.cc
  inspect/remote_unwinder.cc
  inspect/stack_copy.cc
  inspect/stopped_thread.cc
  inspect/thread_list.cc
  inspect/thread_stacks.cc
  inspect/variable_name.cc)
