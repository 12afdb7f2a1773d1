/*
 * Libraries that are loaded when they are first needed, so that a process which never needs them
 * does not hold their relocated pages and those of everything they depend on.
 */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stddef.h>

#include "error.h"

/* A function of a library and where its pointer goes. */
struct library_row {
    const char *symbol;
    size_t offset; /* of the pointer in the table, bytes */
};

/*
 * Loads file ("libcurl.so.4", found as by the linker) for the rest of the process's life and fills
 * the table's pointers. Loading what is loaded already is cheap. Errors:
 * GENERAL_SERVICE_DISABLED, the sentence of the dynamic linker; the table is incomplete then.
 */
int library_load(const char *file, const struct library_row *rows, size_t count, void *ret_table,
                 struct error *err);

#endif
