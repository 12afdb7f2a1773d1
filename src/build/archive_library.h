/*
 * libarchive as a table of functions, loaded by the roles unpack and pack alone: everything else
 * would only hold the pages of its dozen libraries.
 */
#ifndef ARCHIVE_LIBRARY_H
#define ARCHIVE_LIBRARY_H

#include <archive.h>
#include <archive_entry.h>

#include "error.h"

#define ARCHIVE_FUNCTIONS(ROW)         \
    ROW(entry_filetype)                \
    ROW(entry_free)                    \
    ROW(entry_hardlink)                \
    ROW(entry_is_encrypted)            \
    ROW(entry_new)                     \
    ROW(entry_pathname)                \
    ROW(entry_perm)                    \
    ROW(entry_set_filetype)            \
    ROW(entry_set_hardlink)            \
    ROW(entry_set_pathname)            \
    ROW(entry_set_perm)                \
    ROW(entry_set_size)                \
    ROW(entry_set_symlink)             \
    ROW(entry_size)                    \
    ROW(entry_size_is_set)             \
    ROW(entry_symlink)                 \
    ROW(error_string)                  \
    ROW(filter_bytes)                  \
    ROW(filter_count)                  \
    ROW(read_data_block)               \
    ROW(read_free)                     \
    ROW(read_new)                      \
    ROW(read_next_header)              \
    ROW(read_open_fd)                  \
    ROW(read_support_filter_bzip2)     \
    ROW(read_support_filter_gzip)      \
    ROW(read_support_filter_xz)        \
    ROW(read_support_filter_zstd)      \
    ROW(read_support_format_tar)       \
    ROW(read_support_format_zip)       \
    ROW(write_add_filter_gzip)         \
    ROW(write_close)                   \
    ROW(write_data)                    \
    ROW(write_data_block)              \
    ROW(write_disk_new)                \
    ROW(write_disk_set_options)        \
    ROW(write_finish_entry)            \
    ROW(write_free)                    \
    ROW(write_header)                  \
    ROW(write_new)                     \
    ROW(write_open_fd)                 \
    ROW(write_set_bytes_in_last_block) \
    ROW(write_set_filter_option)       \
    ROW(write_set_format_pax_restricted)

struct archive_library {
#define ROW(name) __typeof__(archive_##name) *name;
    ARCHIVE_FUNCTIONS(ROW)
#undef ROW
};

/* Errors: GENERAL_SERVICE_DISABLED, with a sentence that says what to install. */
int archive_library_load(struct archive_library *ret_library, struct error *err);

#endif
