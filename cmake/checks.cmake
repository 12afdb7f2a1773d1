# Targets for people: `format` rewrites the layout, `tidy` runs the static checks.
file(GLOB_RECURSE formatted CONFIGURE_DEPENDS
    "${CMAKE_SOURCE_DIR}/src/*.[ch]" "${CMAKE_SOURCE_DIR}/include/*.h" "${CMAKE_SOURCE_DIR}/tests/*.[ch]")
file(GLOB_RECURSE checked CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/*.c")

find_program(CLANG_FORMAT clang-format)
if(CLANG_FORMAT)
    add_custom_target(format COMMAND "${CLANG_FORMAT}" -i ${formatted} VERBATIM)
endif()

find_program(CLANG_TIDY clang-tidy)
find_program(RUN_CLANG_TIDY run-clang-tidy)
if(RUN_CLANG_TIDY)
    add_custom_target(tidy COMMAND "${RUN_CLANG_TIDY}" -quiet -p "${CMAKE_BINARY_DIR}" "${CMAKE_SOURCE_DIR}/src/"
        VERBATIM)
elseif(CLANG_TIDY)
    add_custom_target(tidy COMMAND "${CLANG_TIDY}" --quiet -p "${CMAKE_BINARY_DIR}" ${checked} VERBATIM)
endif()
