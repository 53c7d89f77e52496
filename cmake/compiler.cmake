# Language, warnings, hardening and sanitizers. Everything here holds for every target of the project.
include(CheckCCompilerFlag)
include(CheckPIESupported)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
check_pie_supported(LANGUAGES C)
add_compile_definitions(_GNU_SOURCE)

# No contraction into fused multiply-add: the same numbers on every architecture.
add_compile_options(-ffunction-sections -fdata-sections -ffp-contract=off)
# C unwinds no stack, and debuggers have .debug_frame: without its tables kenning-server is a twelfth smaller.
add_compile_options($<$<CONFIG:RelWithDebInfo>:-fno-asynchronous-unwind-tables>)
add_link_options(-Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

# Adds each flag that the compiler knows.
function(kenning_try_flags)
    foreach(flag IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "HAVE${flag}" have)
        check_c_compiler_flag("${flag}" ${have})
        if(${have})
            add_compile_options("${flag}")
        endif()
    endforeach()
endfunction()

# Only for our own code: third-party targets call kenning_no_warnings().
set(warnings -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wvla -Wundef -Wformat=2 -Wpointer-arith -Wwrite-strings
    -Werror=implicit -Werror=int-conversion -Werror=incompatible-pointer-types
    -Werror=return-type -Werror=vla -Werror=format-security)
add_compile_options(${warnings})
kenning_try_flags(-Wlogical-op -Wduplicated-cond -Wimplicit-fallthrough=5)
if(KENNING_WERROR)
    add_compile_options(-Werror)
endif()
function(kenning_no_warnings target)
    target_compile_options(${target} PRIVATE -w)
    if(KENNING_ANALYZE)
        target_compile_options(${target} PRIVATE -fno-analyzer)
    endif()
endfunction()
if(KENNING_ANALYZE)
    add_compile_options(-fanalyzer "SHELL:-include ${CMAKE_SOURCE_DIR}/cmake/analyzed.h")
endif()

kenning_try_flags(-fstack-protector-strong -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    kenning_try_flags(-fcf-protection)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    kenning_try_flags(-mbranch-protection=standard)
endif()

if(KENNING_SANITIZE)
    # Fortified functions hide accesses from the sanitizers, so it is one or the other.
    add_compile_options(-fsanitize=${KENNING_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${KENNING_SANITIZE})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL Debug)
    set(level 2)
    if(CMAKE_C_COMPILER_ID STREQUAL GNU AND CMAKE_C_COMPILER_VERSION VERSION_GREATER_EQUAL 12)
        set(level 3)
    endif()
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level})
endif()

# Undefined symbols in a shared object are errors at link time. clang leaves a shared object's
# sanitizer symbols to the executable, so the check cannot be had there.
set(KENNING_NO_UNDEFINED -Wl,-z,defs)
if(KENNING_SANITIZE AND NOT CMAKE_C_COMPILER_ID STREQUAL GNU)
    set(KENNING_NO_UNDEFINED "")
endif()
