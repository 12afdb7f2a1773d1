/* What a START packet's memfd says: argv and environment, with the places filled in. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <stddef.h>

#include "error.h"

enum {
    LAUNCH_BYTES = 1 << 20, /* of the memfd; the kernel takes about 2 MiB */
    LAUNCH_ARGUMENTS = 256,
    LAUNCH_VARIABLES = 2048
};

struct launch {
    char **argv; /* NULL-terminated, each its own allocation */
    char **envp;
};

/* Where the child sees things; a place that is NULL leaves its {name} as it is. */
struct launch_places {
    const char *code, *tmp, *boot, *cache;
};

/*
 * Reads the memfd's bytes: uint32 argc, uint32 envc, then so many NUL-terminated strings. Errors:
 * ERROR_INTERNAL for everything that is not exactly that, for no argv, and for a variable without a
 * name.
 */
int launch_parse(const void *bytes, size_t count, struct launch *ret_launch, struct error *err);
int launch_read(int fd, struct launch *ret_launch, struct error *err); /* the same from a memfd */

/*
 * Replaces {code} {tmp} {boot} {cache} in every string, sets TMPDIR and HOME to the temporary
 * directory. An empty string among the variables ends the replacing: those behind it are the user's
 * own text and stay as they are.
 */
void launch_fill_in(struct launch *launch, const struct launch_places *places);
void launch_release(struct launch *launch);

#endif
