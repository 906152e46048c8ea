# What `cmake --install` puts where: the command with its preload library beside it, the linked
# library with its headers, and how others find them: find_package(lockwarden), pkg-config.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS lockwarden RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# Where the command looks for it: lib/lockwarden beside bin, whatever LIBDIR is.
install(TARGETS lockwarden_preload LIBRARY DESTINATION lib/lockwarden)

set_target_properties(lockwarden_static PROPERTIES EXPORT_NAME lockwarden)
set_target_properties(lockwarden_shared PROPERTIES EXPORT_NAME shared)
set_target_properties(lockwarden_exporter PROPERTIES EXPORT_NAME exporter)
install(TARGETS lockwarden_static lockwarden_shared EXPORT lockwarden
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY runtime/include/lockwarden DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS lockwarden_exporter lockwarden_watchdog lockwarden_ledger
        EXPORT lockwarden_exporter
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES exporter/include/lockwarden/exporter.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lockwarden)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/lockwarden)
foreach(name lockwarden lockwarden_exporter)
  install(EXPORT ${name} NAMESPACE lockwarden:: FILE ${name}-targets.cmake DESTINATION ${package})
endforeach()
configure_package_config_file(cmake/lockwarden-config.cmake.in
  ${CMAKE_BINARY_DIR}/lockwarden-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/lockwarden-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/lockwarden-config.cmake
              ${CMAKE_BINARY_DIR}/lockwarden-config-version.cmake DESTINATION ${package})

file(RELATIVE_PATH LOCKWARDEN_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
foreach(package lockwarden lockwarden-shared)
  configure_file(cmake/${package}.pc.in ${CMAKE_BINARY_DIR}/${package}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${package}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
