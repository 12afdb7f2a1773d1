/* Taking over what changed in the store by other ways than a call. */
#ifndef RELOAD_H
#define RELOAD_H

#include "daemon.h"

/*
 * In a lane, db is its reader: registry_change_read() after a commit. Memory must not stay behind
 * the store, so a failure is tried again for about two seconds; if it lasts, the process ends and
 * the supervisor starts it anew, which reads everything. Never NULL; owned by the caller.
 */
struct registry_change *reload_read(struct db *db, enum change_kind kind, const char *project_id,
                                    const char *id);

/* Loop. Reads a function again in a lane, then replaces its live record. */
void reload_function(struct api *api, const char *project_id, const char *function_id);

#endif
