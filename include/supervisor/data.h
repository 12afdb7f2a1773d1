/*
 * The data directory: who owns it, who may pass through it, and the lock that makes one daemon its
 * only user.
 *
 *     DIR            0700, 0711 where workers must pass by user ids of their own
 *       lock         0600  held by the supervisor, or by a command that opens the store itself
 *       bootstrap    0755  the languages' bootstraps, written by the api
 *       builds       0711  one tree a deployment
 *       cache        0711  one package cache a project
 *       tmp          0711  one directory a worker, where there is no private /tmp
 *       packages uploads run   0700
 *
 * Everything belongs to the owner, the account the api runs as, but what a worker's own user id has
 * written.
 */
#ifndef DATA_H
#define DATA_H

#include <stdbool.h>
#include <sys/types.h>

#include "error.h"
#include "settings.h"

struct data_directory {
    char *path; /* absolute, without symbolic links */
    int fd;
    int lock_fd;
    int builds_fd, cache_fd, tmp_fd, run_fd; /* -1 before data_lay_out() */
    uid_t owner;                             /* never 0 */
    gid_t group;
    bool locked; /* false: another process holds the directory */
};

/*
 * Opens or creates the directory of the setting `data`, finds its owner (our own account; for root:
 * the owner of the directory, or the setting `user` if that is root) and tries the lock for
 * wait_ms. Changes nothing inside but the lock file. Errors: one sentence: not a directory, belongs
 * to someone else, full of other things, no such account.
 */
int data_open(const struct settings *settings, int wait_ms, struct data_directory *ret_data,
              struct error *err);

/* Makes what is missing and sets owners and modes. Only with the lock. */
int data_lay_out(struct data_directory *data, struct error *err);

/*
 * The process becomes the owner for good: no supplementary groups, no capabilities, nothing to gain
 * by exec.
 */
int data_become_owner(const struct data_directory *data, struct error *err);

void data_close(struct data_directory *data); /* also gives the lock up */

#endif
