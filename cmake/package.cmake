# `cpack -G DEB` in the build folder: three Debian packages.
#
#   lockwarden       the command, the preload library, manual pages, completions
#   liblockwarden    the shared library that programs link
#   liblockwarden-dev  headers, static libraries, find_package and pkg-config files
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lockwarden)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "the Lockwarden project <lockwarden@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "finds, detects, explains and recovers from deadlocks")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL command library dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_COMMAND_PACKAGE_NAME lockwarden)
set(CPACK_COMPONENT_COMMAND_DESCRIPTION
  "Supervises unmodified programs, reports deadlocks when they form and lock orders that could deadlock.")
set(CPACK_DEBIAN_COMMAND_PACKAGE_SHLIBDEPS ON)

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME liblockwarden)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "Locks that record who holds what, for programs that link them.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_GENERATE_SHLIBS ON)

set(CPACK_DEBIAN_DEV_PACKAGE_NAME liblockwarden-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_DEV_DESCRIPTION "Headers and static libraries of Lockwarden.")
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
  "liblockwarden (= ${PROJECT_VERSION}), libabsl-dev, libdw-dev, prometheus-cpp-dev")
include(CPack)
