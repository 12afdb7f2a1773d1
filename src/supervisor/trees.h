/* What trees.c and scratch.c share. */
#ifndef TREES_H
#define TREES_H

#include <stddef.h>

#include "error.h"

struct supervisor;

/* Renames name to one that only a helper will look at; ret_name is "" if name was not there. */
int trees_rename_away(struct supervisor *supervisor, int dirfd, const char *name, char *ret_name,
                      size_t name_bytes, struct error *err);

/* The same, and has a helper remove it. */
int trees_put_away(struct supervisor *supervisor, int dirfd, const char *name, struct error *err);

/* scratch.c: every cache directory of the project. Error: one is in use. */
int caches_remove(struct supervisor *supervisor, const char *project, struct error *err);

#endif
