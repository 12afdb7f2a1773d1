/* Giving up privilege, one way. For children of the supervisor between fork and their work: system
 * calls only. */
#ifndef PRIVILEGE_H
#define PRIVILEGE_H

#include <sys/types.h>

/* Becomes this user and group, without supplementary groups; -1 with errno. Needs SETUID and
 * SETGID. */
int privilege_take_identity(uid_t user, gid_t group);

/* Empty capability sets and no_new_privs; -1 with errno. */
int privilege_drop(void);

#endif
