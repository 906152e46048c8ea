# `lockwarden inspect`: a process from outside, whether it has a ledger or not; and the stacks
# of all its threads, which reports show, too. Included by the room's CMakeLists.txt.
target_sources(lockwarden_watchdog PRIVATE
  inspect/access_check.cc
  inspect/call_description.cc
  inspect/core_target.cc
  inspect/inspect_command.cc
  inspect/inspect_options.cc
  inspect/inspection.cc
  inspect/inspection_json.cc
  inspect/inspection_text.cc
  inspect/ledger_look.cc
  inspect/process_picture.cc
  inspect/python_frames.cc
  inspect/registers.cc
  inspect/remote_unwinder.cc
  inspect/stack_copy.cc
  inspect/stopped_thread.cc
  inspect/stuck_finding.cc
  inspect/stuck_threads.cc
  inspect/thread_list.cc
  inspect/thread_stacks.cc
  inspect/variable_name.cc
  inspect/wait_decoder.cc)
