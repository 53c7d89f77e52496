# Third-party code and headers. Libraries opened on use give their headers only; nothing here but yyjson is linked.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# --- yyjson: the system's if it is new enough (yyjson_locate_pos), else fetched with a pinned hash ---------------
set(yyjson_needs 0.10)
set(yyjson_package yyjson==4.0.6)
set(yyjson_sha256 fcd4dc15c1e39a30bf9fa85d56903029111506860fc3080ab0d81c6c6dacaa8c)

if(KENNING_SYSTEM_YYJSON)
    pkg_check_modules(system_yyjson QUIET IMPORTED_TARGET yyjson>=${yyjson_needs})
endif()
if(system_yyjson_FOUND)
    message(STATUS "yyjson: the system's ${system_yyjson_VERSION}")
    add_library(kenning_yyjson INTERFACE)
    target_link_libraries(kenning_yyjson INTERFACE PkgConfig::system_yyjson)
    set(KENNING_YYJSON_OBJECTS "")
    # For the test that reads what the program needs at start-up.
    set(KENNING_YYJSON_LIBRARY libyyjson.so.0)
    set(yyjson_include_dirs ${system_yyjson_INCLUDE_DIRS})
else()
    execute_process(COMMAND "${CMAKE_SOURCE_DIR}/scripts/fetch-sdist" ${yyjson_package} ${yyjson_sha256}
                            yyjson/yyjson.c yyjson/yyjson.h
                    OUTPUT_VARIABLE yyjson_dir OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
    if(failed)
        message(FATAL_ERROR "yyjson could not be fetched: see the message above. "
                            "It takes pip and a package index that pip can reach.")
    endif()
    message(STATUS "yyjson: ${yyjson_package}")
    # An object library, so that libkenning.a is whole. The empty yyjson_api keeps its symbols hidden.
    add_library(yyjson OBJECT "${yyjson_dir}/yyjson/yyjson.c")
    target_include_directories(yyjson SYSTEM PUBLIC "${yyjson_dir}/yyjson")
    target_compile_definitions(yyjson PUBLIC "yyjson_api=")
    kenning_no_warnings(yyjson)
    add_library(kenning_yyjson INTERFACE)
    target_include_directories(kenning_yyjson SYSTEM INTERFACE "${yyjson_dir}/yyjson")
    target_compile_definitions(kenning_yyjson INTERFACE "yyjson_api=")
    set(KENNING_YYJSON_OBJECTS $<TARGET_OBJECTS:yyjson>)
    set(KENNING_YYJSON_LIBRARY "")
    set(yyjson_include_dirs "${yyjson_dir}/yyjson")
endif()

include(CheckSourceCompiles)
set(CMAKE_REQUIRED_INCLUDES ${yyjson_include_dirs})
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
check_source_compiles(C "
#include <yyjson.h>
bool locate(const char *, size_t);
bool locate(const char *text, size_t bytes)
{
    size_t line, column, character;
    return YYJSON_READ_NUMBER_AS_RAW && yyjson_locate_pos(text, bytes, 0, &line, &column, &character);
}" KENNING_YYJSON_USABLE)
unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
unset(CMAKE_REQUIRED_INCLUDES)
if(NOT KENNING_YYJSON_USABLE)
    message(FATAL_ERROR "this yyjson lacks yyjson_locate_pos or YYJSON_READ_NUMBER_AS_RAW")
endif()

# --- headers of libraries that are opened with dlopen -------------------------------------------------------------
add_library(kenning_headers INTERFACE)
set(modules libjpeg libpng hdf5)
if(KENNING_TARGET_ONLY)
    set(modules "") # nothing of a target reads images or HDF5
endif()
foreach(module IN LISTS modules)
    pkg_check_modules(header_${module} REQUIRED ${module})
    target_include_directories(kenning_headers SYSTEM INTERFACE ${header_${module}_INCLUDE_DIRS})
endforeach()
