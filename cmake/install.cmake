# What `make install` puts in place besides the programs and plug-ins.
install(TARGETS kenning_static kenning_shared
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY include/kenning DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
configure_file(cmake/kenning.pc.in kenning.pc @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/kenning.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# share/ and scenarios/ are found in share/kenning of the build tree and of the installation.
file(GLOB shared CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" "share/*" "scenarios")
kenning_add_data(. ${shared})
