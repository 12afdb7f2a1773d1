/* Copies of whole directories, for backups: files, directories and symbolic links, nothing else. */
#ifndef COPY_H
#define COPY_H

#include <sys/types.h>

#include "error.h"

struct copy_owner {
    uid_t user; /* (uid_t)-1: whoever copies */
    gid_t group;
};

/* from below from_dir to the same name below to_dir; absent is fine. Of a directory, entries that
 * begin with "." are left out at its top. */
int copy_entry(int from_dir, int to_dir, const char *name, const struct copy_owner *owner,
               struct error *err);

#endif
