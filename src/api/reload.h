/* Taking over what changed in the store by other ways than a call. */
#ifndef RELOAD_H
#define RELOAD_H

#include "daemon.h"

/*
 * In a lane, db is its reader: registry_change_read() after a commit. Memory must not stay behind
 * the store, so a failure is tried again. When one comes more than a second after the first read
 * that unread is for (a single read may wait some seconds for a lock), that is told in freshness,
 * and reload_check() refuses requests until reload_applied(): a key or a role that was taken away
 * is not honoured meanwhile. (What waits in the queue and schedules still run.) After a minute the
 * process ends, and the supervisor starts it anew with new connections to the store; not earlier,
 * for a start that cannot read the store ends the daemon, and not while it stops. Owned by the
 * caller; NULL once freshness->ended.
 */
struct registry_change *reload_read(struct unread *unread, struct db *db, enum change_kind kind,
                                    const char *project_id, const char *id);

/* Loop, after registry_apply() of all that was read with it. It may be used again. */
void reload_applied(struct unread *unread);

/* Loop. -1 while memory is behind the store: GENERAL_OVERLOADED. */
int reload_check(const struct api *api, struct error *err);

/* Loop. Reads a function again in a lane, then replaces its live record. */
void reload_function(struct api *api, const char *project_id, const char *function_id);

#endif
