# From a ledger to findings. Included by this room's CMakeLists.txt.
target_sources(lockwarden_watchdog PRIVATE
  deadlock_detector.cc
  deadlock_finding.cc
  deadlock_grade.cc
  exit_watch.cc
  file_locks.cc
  finding.cc
  finding_parts.cc
  joint_detector.cc
  joint_model.cc
  judge.cc
  kernel_view.cc
  kernel_witness.cc
  ledger_reader.cc
  ledger_tables.cc
  lock_order_graph.cc
  lock_words.cc
  misuse_finding.cc
  order_finding.cc
  order_verdict.cc
  order_watch.cc
  process_list.cc
  shared_memory.cc
  signal_lock_watch.cc
  thread_roster.cc
  wait_for_graph.cc
  wait_model.cc)
