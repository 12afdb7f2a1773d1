/* Taking over what changed in the store by other ways than a call. */
#ifndef RELOAD_H
#define RELOAD_H

#include "daemon.h"

/*
 * In a lane, db is its reader: registry_change_read() after a commit. Memory must not stay behind
 * the store, so a failure is tried again. What fails for more than a second is told in freshness,
 * and reload_check() refuses requests until it was read: a key or a role that was taken away is not
 * honoured meanwhile. (What waits in the queue and schedules still run.) After a minute the process
 * ends, and the supervisor starts it anew with new connections to the store; not earlier, for a
 * start that cannot read the store ends the daemon. Owned by the caller; NULL once
 * freshness->ended.
 */
struct registry_change *reload_read(struct freshness *freshness, struct db *db,
                                    enum change_kind kind, const char *project_id, const char *id);

/* Loop. -1 while memory is behind the store: GENERAL_OVERLOADED. */
int reload_check(const struct api *api, struct error *err);

/* Loop. Reads a function again in a lane, then replaces its live record. */
void reload_function(struct api *api, const char *project_id, const char *function_id);

#endif
