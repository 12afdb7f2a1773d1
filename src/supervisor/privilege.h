/* Giving up privilege, one way. For children of the supervisor between fork and their work: system
 * calls only. */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

#include <stdbool.h>
#include <sys/types.h>

/* Becomes this user and group, without supplementary groups; -1 with errno. Needs SETUID and
 * SETGID. */
int privilege_take_identity(uid_t user, gid_t group);

/* Empty capability sets and no_new_privs; -1 with errno. */
int privilege_drop(void);

/*
 * No core dumps and no tracing of this process by others of its account. An ordinary user's process
 * that is hidden does not own its files in /proc, and a child starts out as hidden as its parent:
 * show it around the start of a sandbox.
 */
void privilege_hide(bool hide);

#endif
