# make install: headers, libraries, command, manual pages, a3m.pc, and the CMake package a3m.
include(CMakePackageConfigHelpers)

set(A3M_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/a3m)

install(DIRECTORY middleware/include/a3m DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(TARGETS a3m a3m_static EXPORT a3m-targets)
install(EXPORT a3m-targets NAMESPACE a3m:: DESTINATION ${A3M_CMAKE_DIR})
if(TARGET a3m_cmd)
  install(TARGETS a3m_cmd)
endif()

foreach(section 1 3 7)
  file(GLOB pages CONFIGURE_DEPENDS docs/man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

configure_package_config_file(cmake/a3m-config.cmake.in a3m-config.cmake INSTALL_DESTINATION ${A3M_CMAKE_DIR})
# Before 1.0 a minor version may break its users.
write_basic_package_version_file(a3m-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/a3m-config.cmake ${PROJECT_BINARY_DIR}/a3m-config-version.cmake
        DESTINATION ${A3M_CMAKE_DIR})

# The way from the .pc file back up to the prefix, however deep the library folder is.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
           OUTPUT_VARIABLE A3M_PC_UP)
configure_file(cmake/a3m.pc.in a3m.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/a3m.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
