# The tables of the room locale: written by a small program of the build, so that the server does not contain ICU, whose
# data alone is 30 MB. Names, currencies, continents are ICU's; phone codes are in the data of Debian's
# python3-phonenumbers, of which only one text file is read.
pkg_check_modules(ICU REQUIRED IMPORTED_TARGET icu-uc>=72 icu-i18n>=72)
find_file(PHONE_CODES phonenumbers/data/__init__.py PATHS /usr/lib/python3/dist-packages NO_DEFAULT_PATH REQUIRED)

add_executable(locale_table cmake/locale_table.c)
target_link_libraries(locale_table PRIVATE PkgConfig::ICU flags)
set(locale_texts "${CMAKE_BINARY_DIR}/locale/texts")
set(locale_tables "${CMAKE_BINARY_DIR}/locale/tables.c")
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/locale")
add_custom_command(OUTPUT "${locale_texts}" "${locale_tables}"
    COMMAND locale_table "${PHONE_CODES}" "${locale_texts}" "${locale_tables}"
    DEPENDS locale_table "${PHONE_CODES}" VERBATIM)
target_sources(locale PRIVATE "${locale_tables}")
embed(locale locale_text "${locale_texts}")
