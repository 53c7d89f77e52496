# What `make install` puts in place besides the programs and plug-ins.
install(TARGETS kenning_static ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(TARGETS kenning_shared EXPORT kenning-targets LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY include/kenning DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
configure_file(cmake/kenning.pc.in kenning.pc @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/kenning.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# find_package(kenning). Until release 1.0 a minor version is another interface.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/kenning")
configure_package_config_file(cmake/kenning-config.cmake.in kenning-config.cmake INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(kenning-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/kenning-config.cmake" "${CMAKE_BINARY_DIR}/kenning-config-version.cmake"
        DESTINATION "${package_dir}")
install(EXPORT kenning-targets NAMESPACE kenning:: DESTINATION "${package_dir}")

# share/ and scenarios/ are found in share/kenning of the build tree and of the installation.
file(GLOB shared CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" "share/*" "scenarios")
kenning_add_data(. ${shared})
