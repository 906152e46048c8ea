# What `cmake --install` puts where: the command with its preload library beside it, the linked
# library with its headers, and how others find them: find_package(lockwarden), pkg-config.
# The components are the Debian packages that package.cmake makes.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS lockwarden RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT command)
# Where the command looks for it: lib/lockwarden beside bin, whatever LIBDIR is.
install(TARGETS lockwarden_preload LIBRARY DESTINATION lib/lockwarden COMPONENT command)
# Manual pages and completions, where each shell looks for those of packages.
get_target_property(pages lockwarden_pages_made PAGES_DIR)
install(DIRECTORY ${pages}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT command)
install(FILES ${pages}/lockwarden.bash RENAME lockwarden
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT command)
install(FILES ${pages}/_lockwarden
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT command)
install(FILES ${pages}/lockwarden.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT command)

set_target_properties(lockwarden_static PROPERTIES EXPORT_NAME lockwarden)
set_target_properties(lockwarden_shared PROPERTIES EXPORT_NAME shared)
set_target_properties(lockwarden_exporter PROPERTIES EXPORT_NAME exporter)
set_target_properties(lockwarden_linked_watchdog PROPERTIES EXPORT_NAME watchdog)
install(TARGETS lockwarden_static lockwarden_shared EXPORT lockwarden
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT dev
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY runtime/include/lockwarden DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(TARGETS lockwarden_linked_watchdog lockwarden_watchdog lockwarden_ledger
        EXPORT lockwarden_watchdog
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS lockwarden_exporter EXPORT lockwarden_exporter
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES exporter/include/lockwarden/exporter.h watchdog/include/lockwarden/watchdog.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/lockwarden COMPONENT dev)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/lockwarden)
foreach(name lockwarden lockwarden_watchdog lockwarden_exporter)
  install(EXPORT ${name} NAMESPACE lockwarden:: FILE ${name}-targets.cmake DESTINATION ${package}
          COMPONENT dev)
endforeach()
configure_package_config_file(cmake/lockwarden-config.cmake.in
  ${CMAKE_BINARY_DIR}/lockwarden-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/lockwarden-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/lockwarden-config.cmake
              ${CMAKE_BINARY_DIR}/lockwarden-config-version.cmake DESTINATION ${package}
        COMPONENT dev)

file(RELATIVE_PATH LOCKWARDEN_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
foreach(package lockwarden lockwarden-shared)
  configure_file(cmake/${package}.pc.in ${CMAKE_BINARY_DIR}/${package}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/${package}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
          COMPONENT dev)
endforeach()
