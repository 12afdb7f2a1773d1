/* What the files of this room share. */
#ifndef RUNTIMES_PRIVATE_H
#define RUNTIMES_PRIVATE_H

#include "runtimes.h"

struct runtimes {
    struct interpreter *interpreters;
    size_t count;
};

/* The languages that have a bootstrap. */
const struct runtime_family *runtime_families(size_t *ret_count);

/* Adds the interpreter at path if its --version is one of the family's and new; false if it is no
 * such interpreter. */
bool runtimes_add(struct runtimes *runtimes, const struct runtime_family *family, const char *path);

#endif
