/*
 * Work on whole trees that a hostile process has made: no symbolic link is followed, no depth
 * exhausts descriptors or stack. For helper processes; everything may block for long.
 */
#ifndef WALK_H
#define WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/*
 * Removes a file or a tree; absent is fine. Somebody else removing at the same time is fine, too.
 */
int walk_remove(int dirfd, const char *name, struct error *err);

/* Removes what is in the directory, but not itself. */
int walk_empty(int dirfd, const char *name, struct error *err);

struct walk_owner {
    bool change; /* false: all files belong to one account here, only modes are set */
    uid_t user;  /* new owner */
    gid_t group;
    uid_t first, last; /* entries of any other old owner are removed */
};

/*
 * Makes a built tree read-only for all but the owner: files 0644 or 0755, directories 0755, the top
 * one top_mode. What is neither file, directory nor symbolic link, or does not belong to an old
 * owner, is removed.
 */
int walk_seal(int dirfd, const char *name, const struct walk_owner *owner, mode_t top_mode,
              struct error *err);

/* Gives a package cache to another slot; modes stay, foreign and special entries are removed. The
 * top becomes 0700. */
int walk_own(int dirfd, const char *name, const struct walk_owner *owner, struct error *err);

/*
 * Bytes on disk and entries; stops counting above entry_limit and at directories nested too deep.
 */
void walk_measure(int dirfd, const char *name, uint64_t entry_limit, uint64_t *ret_bytes,
                  uint64_t *ret_entries);

#endif
