# `lockwarden run`: options, supervision and the command itself.
target_sources(lockwarden_watchdog PRIVATE
  baseline.cc
  child.cc
  command_line.cc
  command_table.cc
  core_dumps.cc
  exit_status.cc
  finding_desk.cc
  heartbeat_totals.cc
  helper_command.cc
  incident_hook.cc
  journal.cc
  ladder.cc
  ledger_totals.cc
  linked_watchdog.cc
  option_text.cc
  options.cc
  other_judge.cc
  own_ledger.cc
  own_threads.cc
  preflight.cc
  preload_env.cc
  process_facts.cc
  process_tree.cc
  registrar.cc
  report/report_command.cc
  report/report_input.cc
  report_sink.cc
  restart_history.cc
  restart_policy.cc
  run_command.cc
  self_restart.cc
  selftest/scenes.cc
  selftest/selftest_command.cc
  service_manager.cc
  stacks_text.cc
  shell_command.cc
  session_files.cc
  signal_relay.cc
  stop_policy.cc
  supervisor.cc
  supervisor_actions.cc
  supervisor_end.cc
  supervisor_metrics.cc
  supervisor_service.cc
  suppressions.cc
  test_desk.cc
  text_file.cc
  top_request.cc
  watched_process.cc)

add_executable(lockwarden main.cc build_id.cc)
target_compile_definitions(lockwarden PRIVATE LOCKWARDEN_VERSION="${PROJECT_VERSION}")
target_link_libraries(lockwarden PRIVATE lockwarden_watchdog lockwarden_exporter lockwarden_top)
target_link_options(lockwarden PRIVATE -Wl,--build-id)
