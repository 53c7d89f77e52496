# The libraries, and the functions with which programs and plug-ins are declared.
set(KENNING_DATA_DIR "${CMAKE_BINARY_DIR}/share/kenning")
set(KENNING_PLUGIN_DIR "${CMAKE_BINARY_DIR}/plugins")
file(MAKE_DIRECTORY "${KENNING_DATA_DIR}/backends" "${KENNING_PLUGIN_DIR}")

# What a program or plug-in may link: the C library's own parts.
add_library(kenning_system INTERFACE)
target_link_libraries(kenning_system INTERFACE m ${CMAKE_DL_LIBS} Threads::Threads)

# All rooms but src/cli.
add_library(kenning_objects OBJECT)
target_include_directories(kenning_objects PUBLIC "${CMAKE_SOURCE_DIR}/include" PRIVATE "${CMAKE_SOURCE_DIR}/src")
target_compile_definitions(kenning_objects PRIVATE KN_BUILDING_LIBRARY KENNING_VERSION="${PROJECT_VERSION}")
target_link_libraries(kenning_objects PUBLIC kenning_system PRIVATE kenning_yyjson kenning_headers)

# libkenning.a; src/ is on its include path, so the program and the tests see the internals.
add_library(kenning_static STATIC $<TARGET_OBJECTS:kenning_objects> ${KENNING_YYJSON_OBJECTS})
set_target_properties(kenning_static PROPERTIES OUTPUT_NAME kenning)
target_include_directories(kenning_static PUBLIC "${CMAKE_SOURCE_DIR}/include" "${CMAKE_SOURCE_DIR}/src")
target_compile_definitions(kenning_static PUBLIC KENNING_VERSION="${PROJECT_VERSION}")
target_link_libraries(kenning_static PUBLIC kenning_system kenning_yyjson PRIVATE kenning_headers)

# libkenning.so: everything is hidden but what the public headers export. Targets have no use for it.
if(NOT KENNING_TARGET_ONLY)
    add_library(kenning_shared SHARED $<TARGET_OBJECTS:kenning_objects> ${KENNING_YYJSON_OBJECTS})
    set_target_properties(kenning_shared PROPERTIES
        OUTPUT_NAME kenning EXPORT_NAME kenning VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
        LINK_DEPENDS "${CMAKE_SOURCE_DIR}/cmake/libkenning.map")
    target_include_directories(kenning_shared PUBLIC
        $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_libraries(kenning_shared PRIVATE kenning_system kenning_yyjson)
    target_link_options(kenning_shared PRIVATE ${KENNING_NO_UNDEFINED}
        "-Wl,--version-script=${CMAKE_SOURCE_DIR}/cmake/libkenning.map")
endif()

# kenning_add_program(NAME SOURCES a.c b.c): an executable that stands alone, libkenning.a inside.
# Its dynamic symbols are none: plug-ins get what they need through the host table.
function(kenning_add_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE kenning_static)
    if(KENNING_STATIC)
        target_sources(${name} PRIVATE $<TARGET_OBJECTS:linked_model>)
        target_link_options(${name} PRIVATE -static-pie)
    endif()
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
    install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endfunction()

# kenning_add_plugin(NAME SOURCES a.c b.c [LIBRARIES kenning_yyjson kenning_headers] [DATA manifest.json tool])
# A plug-in, plugins/kenning-NAME.so beside the program. It sees the public headers and its own directory and
# links the C library alone; LIBRARIES adds yyjson or the headers of libraries opened on use. DATA are the files
# and directories that the program or its tools read; they are found in share/kenning/backends/NAME.
function(kenning_add_plugin name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES;DATA")
    if(arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "kenning_add_plugin(${name}): what is ${arg_UNPARSED_ARGUMENTS}?")
    endif()
    set(target plugin_${name})
    add_library(${target} MODULE ${arg_SOURCES})
    set_target_properties(${target} PROPERTIES
        PREFIX "" OUTPUT_NAME kenning-${name} LIBRARY_OUTPUT_DIRECTORY "${KENNING_PLUGIN_DIR}")
    target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/include" "${CMAKE_SOURCE_DIR}/backends"
        "${CMAKE_CURRENT_SOURCE_DIR}")
    target_link_libraries(${target} PRIVATE kenning_system ${arg_LIBRARIES})
    if(kenning_yyjson IN_LIST arg_LIBRARIES)
        target_sources(${target} PRIVATE ${KENNING_YYJSON_OBJECTS})
    endif()
    target_link_options(${target} PRIVATE ${KENNING_NO_UNDEFINED})
    install(TARGETS ${target} LIBRARY DESTINATION lib/kenning/plugins)
    kenning_add_data(backends/${name} ${arg_DATA})
endfunction()

# kenning_add_data(PLACE files and directories...): found in share/kenning/PLACE, in the build tree by links.
function(kenning_add_data place)
    foreach(item IN LISTS ARGN)
        set(source "${CMAKE_CURRENT_SOURCE_DIR}/${item}")
        get_filename_component(base "${item}" NAME)
        # A link to a directory of the source, left by an earlier state of it: links inside it would land in the source.
        if(IS_SYMLINK "${KENNING_DATA_DIR}/${place}")
            file(REMOVE "${KENNING_DATA_DIR}/${place}")
        endif()
        file(MAKE_DIRECTORY "${KENNING_DATA_DIR}/${place}")
        file(CREATE_LINK "${source}" "${KENNING_DATA_DIR}/${place}/${base}" SYMBOLIC)
        if(IS_DIRECTORY "${source}")
            install(DIRECTORY "${source}" DESTINATION "share/kenning/${place}" PATTERN __pycache__ EXCLUDE)
        elseif(EXISTS "${source}")
            install(FILES "${source}" DESTINATION "share/kenning/${place}")
        else()
            message(FATAL_ERROR "kenning_add_data(${place}): ${source} is missing")
        endif()
    endforeach()
endfunction()
