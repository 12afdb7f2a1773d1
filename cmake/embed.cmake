# Files inside the program, by the assembler's .incbin: no generated C arrays to compile. A change of a file assembles
# it again; a new file configures again.

# Text of an assembler block for one file: embed_<symbol>_start, embed_<symbol>_end and a NUL after the end.
function(embed_block ret_text symbol file)
    string(CONCAT text
        "    .global embed_${symbol}_start\n    .global embed_${symbol}_end\n"
        "    .balign 8\nembed_${symbol}_start:\n    .incbin \"${file}\"\n"
        "embed_${symbol}_end:\n    .byte 0\n")
    set(${ret_text} "${text}" PARENT_SCOPE)
endfunction()

function(embed_add_source target name blocks files)
    set(assembly "${CMAKE_BINARY_DIR}/embed/${name}.S")
    file(CONFIGURE OUTPUT "${assembly}" @ONLY CONTENT
        "    .section .rodata\n${blocks}    .section .note.GNU-stack,\"\",%progbits\n")
    set_source_files_properties("${assembly}" PROPERTIES GENERATED TRUE OBJECT_DEPENDS "${files}")
    target_sources(${target} PRIVATE "${assembly}")
endfunction()

# embed(<target> <symbol> <file>): one file, as embed_<symbol>_start and embed_<symbol>_end.
function(embed target symbol file)
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY "${CMAKE_SOURCE_DIR}")
    embed_block(block "${symbol}" "${file}")
    embed_add_source(${target} "${symbol}" "${block}" "${file}")
endfunction()

# embed_directory(<room> <array> <directory> <glob>...)
#
# All files below the directory whose names match, as `const struct embedded_file <array>[]` in order of their names
# (relative to the directory), closed by a row of NULLs, and `const size_t <array>_count`. See include/util/embedded.h.
function(embed_directory target array directory)
    get_target_property(type ${target} TYPE)
    if(type STREQUAL INTERFACE_LIBRARY)
        return()                    # the room has no code yet that could ask
    endif()
    set(patterns ${ARGN})
    list(TRANSFORM patterns PREPEND "${CMAKE_SOURCE_DIR}/${directory}/")
    file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/${directory}" ${patterns})
    list(SORT files)

    set(declarations "")
    set(rows "")
    set(blocks "")
    set(paths "")
    foreach(file IN LISTS files)
        string(MAKE_C_IDENTIFIER "${array}_${file}" symbol)
        set(path "${CMAKE_SOURCE_DIR}/${directory}/${file}")
        embed_block(block "${symbol}" "${path}")
        string(APPEND blocks "${block}")
        string(APPEND declarations
            "extern const unsigned char embed_${symbol}_start[], embed_${symbol}_end[];\n")
        string(APPEND rows "    { \"${file}\", embed_${symbol}_start, embed_${symbol}_end },\n")
        list(APPEND paths "${path}")
    endforeach()
    list(LENGTH files count)

    set(table "${CMAKE_BINARY_DIR}/embed/${array}.c")
    file(CONFIGURE OUTPUT "${table}" @ONLY CONTENT
        "#include \"embedded.h\"\n\n${declarations}\nconst struct embedded_file ${array}[] = {\n${rows}    { 0 },\n};\nconst size_t ${array}_count = ${count};\n")
    set_source_files_properties("${table}" PROPERTIES GENERATED TRUE)
    target_sources(${target} PRIVATE "${table}")
    embed_add_source(${target} "${array}" "${blocks}" "${paths}")
endfunction()
