# Reports: symbols, text and JSON, fingerprints, incident directories. Included by this
# room's CMakeLists.txt.
target_sources(lockwarden_watchdog PRIVATE
  compile_units.cc
  crash.cc
  debug_file.cc
  elf_file.cc
  file_write.cc
  fingerprint.cc
  frames.cc
  function_name.cc
  incident.cc
  incident_quota.cc
  ledger_copy.cc
  module_symbols.cc
  printable.cc
  private_directory.cc
  process_evidence.cc
  report_json.cc
  report_text.cc
  report_threads.cc
  report/dot.cc
  report/finding_groups.cc
  report/finding_reader.cc
  report/folded.cc
  report/github.cc
  report/junit.cc
  report/lock_graph.cc
  report/lock_graph_cycles.cc
  report/lock_graph_report.cc
  report/lock_graph_save.cc
  report/lock_graph_text.cc
  report/markup.cc
  report/report_html.cc
  report/sarif.cc
  report/source_lines.cc
  report/wait_picture.cc
  symbolizer.cc)
set_property(SOURCE report/sarif.cc APPEND PROPERTY
  COMPILE_DEFINITIONS LOCKWARDEN_VERSION="${PROJECT_VERSION}")
