/*
 * Files that no row refers to: packages, uploads, trees of builds and package caches. Packages
 * stay when their deployment is deleted; the others when a project is, when the process ends
 * between a file and its row, or when a removal failed.
 */
#ifndef SWEEP_FILES_H
#define SWEEP_FILES_H

#include "daemon.h"

/* What only the supervisor can remove, by way of the loop. Zeroed: empty. */
struct unowned {
    char **trees, **caches; /* deployment ids; project ids */
    size_t tree_count, cache_count;
};

/*
 * In a lane, db is its reader. Removes packages and uploads that were last changed before
 * before_us (realtime), for their rows come after them; a package is looked up and removed inside
 * the writer, so that nobody's row comes in between. ret_unowned, empty so far, is told trees and
 * caches. What fails is logged.
 */
void unowned_find(struct api *api, struct db *db, int64_t before_us, struct unowned *ret_unowned);

/* On the loop: has the supervisor remove them, and releases the struct. */
void unowned_remove(struct api *api, struct unowned *unowned);
void unowned_release(struct unowned *unowned);

#endif
