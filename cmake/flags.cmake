# The compiler flags of everything we compile, as the INTERFACE target `flags`; nothing is set globally but what
# CMake itself only takes globally.
include(CheckCCompilerFlag)
include(CheckPIESupported)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
check_pie_supported(LANGUAGES C)

# A broken promise inside our code ends the process in every build type.
foreach(type RELEASE RELWITHDEBINFO MINSIZEREL)
    string(REGEX REPLACE "[-/]DNDEBUG" "" CMAKE_C_FLAGS_${type} "${CMAKE_C_FLAGS_${type}}")
endforeach()

add_library(flags INTERFACE)
target_compile_definitions(flags INTERFACE _GNU_SOURCE)

foreach(warning
        all extra pedantic shadow conversion cast-qual write-strings strict-prototypes missing-prototypes
        missing-variable-declarations old-style-definition format=2 format-signedness undef vla pointer-arith
        redundant-decls null-dereference switch-enum implicit-fallthrough duplicated-cond duplicated-branches
        logical-op)
    string(MAKE_C_IDENTIFIER "has_W${warning}" known)
    check_c_compiler_flag(-W${warning} ${known})
    if(${known})
        target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-W${warning}>)
    endif()
endforeach()
# Rows leave fields out on purpose.
target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-Wno-missing-field-initializers>)
if(SANITIZE)
    # The sanitizers' own branches make gcc see null dereferences that are not in the source.
    target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-Wno-null-dereference>)
endif()
if(WERROR)
    target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-Werror>)
endif()

if(SANITIZE)
    target_compile_options(flags INTERFACE
        $<$<COMPILE_LANGUAGE:C>:-fsanitize=${SANITIZE};-fno-sanitize-recover=all;-fno-omit-frame-pointer>)
    target_link_options(flags INTERFACE -fsanitize=${SANITIZE})
endif()
if(COVERAGE)
    target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:C>:--coverage>)
    target_link_options(flags INTERFACE --coverage)
endif()
if(FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
        message(FATAL_ERROR "FUZZ needs clang: use the preset fuzz")
    endif()
    target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-fsanitize=fuzzer-no-link>)
endif()

if(NOT SANITIZE AND CMAKE_BUILD_TYPE MATCHES "^(Release|RelWithDebInfo|MinSizeRel)$")
    foreach(hardening -fstack-protector-strong -fstack-clash-protection)
        string(MAKE_C_IDENTIFIER "has${hardening}" known)
        check_c_compiler_flag(${hardening} ${known})
        if(${known})
            target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:C>:${hardening}>)
        endif()
    endforeach()
    target_compile_options(flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>)
    target_link_options(flags INTERFACE -Wl,-z,relro,-z,now)
endif()
