# room(<name> LINKS <target>... [SEES <room>...] [LOADS <library>...])
#
# A room is the static library of src/<name>/**.c. Its contract is include/<name>, visible to whoever links it and to
# nobody else, so that a forbidden #include does not compile. SEES adds the headers of a room without its code: for
# messages between processes. LOADS: libraries whose headers the room uses and which it loads itself when it first needs
# them (util/library.h). A room without sources yet is an INTERFACE library.
function(room name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINKS;SEES;LOADS")
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${name}/*.c")
    if(sources)
        add_library(${name} STATIC ${sources})
        set(visible PUBLIC)
        target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/src/${name}")
        target_link_libraries(${name} PRIVATE flags)
        foreach(loaded IN LISTS arg_LOADS)
            target_include_directories(${name} SYSTEM PRIVATE
                "$<TARGET_PROPERTY:${loaded},INTERFACE_INCLUDE_DIRECTORIES>")
        endforeach()
    else()
        add_library(${name} INTERFACE)
        set(visible INTERFACE)
    endif()
    target_include_directories(${name} ${visible} "${CMAKE_SOURCE_DIR}/include/${name}")
    foreach(seen IN LISTS arg_SEES)
        target_include_directories(${name} ${visible} "${CMAKE_SOURCE_DIR}/include/${seen}")
    endforeach()
    target_link_libraries(${name} ${visible} ${arg_LINKS})
endfunction()
