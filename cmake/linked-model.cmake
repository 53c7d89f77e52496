# A model compiled to C, linked into kenning-server: the smallest deployment. KENNING_LINKED_MODEL names the archive (tar)
# of C sources that hosts send as their model, as TVMCompiler writes it: kenning_model.h declares the tensors and
# kenning_model_run(), and the sources need nothing but the C library. The program is static and opens no libraries.
set(KENNING_LINKED_MODEL "" CACHE FILEPATH "Archive of C sources of a model to link into a static kenning-server")
if(NOT KENNING_LINKED_MODEL)
    return()
endif()
if(NOT EXISTS "${KENNING_LINKED_MODEL}")
    message(FATAL_ERROR "KENNING_LINKED_MODEL: there is no file ${KENNING_LINKED_MODEL}")
endif()
if(NOT KENNING_TARGET_ONLY)
    message(FATAL_ERROR "KENNING_LINKED_MODEL makes a program for targets: it takes KENNING_TARGET_ONLY=ON")
endif()
set(KENNING_STATIC ON)
add_compile_definitions(KN_STATIC KN_LINKED_MODEL)
# CMake's own choice would be -pie, which makes a program that wants a loader.
unset(CMAKE_POSITION_INDEPENDENT_CODE)
add_compile_options(-fPIE)

# The build is configured anew when the archive changes.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${KENNING_LINKED_MODEL}")
set(linked "${CMAKE_BINARY_DIR}/linked-model")
file(REMOVE_RECURSE "${linked}")
# Sources are as old as their archive says, which may be 1970: what was compiled of another archive would look newer.
file(ARCHIVE_EXTRACT INPUT "${KENNING_LINKED_MODEL}" DESTINATION "${linked}/sources" TOUCH)
if(NOT EXISTS "${linked}/sources/kenning_model.h")
    message(FATAL_ERROR "${KENNING_LINKED_MODEL} holds no kenning_model.h: it is no model compiled to C "
                        "(TVMCompiler with 'executor': 'c' writes one)")
endif()
file(SHA256 "${KENNING_LINKED_MODEL}" KENNING_LINKED_MODEL_SHA256)
get_filename_component(KENNING_LINKED_MODEL_NAME "${KENNING_LINKED_MODEL}" NAME)
configure_file("${CMAKE_SOURCE_DIR}/cmake/linked_model.c.in" "${linked}/linked_model.c" @ONLY)
file(GLOB sources "${linked}/sources/*.c")

add_library(linked_model OBJECT ${sources} "${linked}/linked_model.c")
target_include_directories(linked_model PRIVATE "${linked}/sources" "${CMAKE_SOURCE_DIR}/src")
target_compile_options(linked_model PRIVATE -O3)
kenning_no_warnings(linked_model)
