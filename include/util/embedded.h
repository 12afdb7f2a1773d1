/* Files that CMake put inside the program (cmake/embed.cmake): migrations and the runtimes'
 * bootstraps. */
#ifndef EMBEDDED_H
#define EMBEDDED_H

#include <stddef.h>

struct embedded_file {
    const char *name; /* relative to the embedded directory: 0001_start.sql, node/bootstrap.cjs */
    const unsigned char *start; /* aligned to 8 bytes */
    const unsigned char *end; /* after the last byte; *end is a NUL, so start may be read as text */
};

/* In order of the names; a row of NULLs after the last. */
extern const struct embedded_file embedded_migrations[]; /* of the room store */
extern const size_t embedded_migrations_count;
extern const struct embedded_file embedded_bootstraps[]; /* of the room runtimes */
extern const size_t embedded_bootstraps_count;

#endif
