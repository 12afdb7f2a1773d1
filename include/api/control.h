/*
 * The control operations behind `functiond key|project|token`: run by the daemon for its control
 * socket, or by the command itself when no daemon holds the data directory.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>

#include "buffer.h"
#include "error.h"
#include "registry.h"
#include "store.h"

struct unread;

/*
 * request: {"command":"key.create","arguments":{"project":"default","name":"ci","scopes":"all"}}.
 * Commands and arguments are rows in control.c: project.create(id, name) project.list()
 * project.delete(id) key.create(project, name, scopes, expires?) key.list(project)
 * key.revoke(project, id) token.create(project, user, label[], team[], verified, ttl). ret_output
 * is what the command prints. *ret_change is what a running daemon's registry must take over (NULL:
 * nothing), also after an error; the caller frees it. It was read for unread (see reload.h).
 * ret_change NULL: there is none to tell, and unread is not used. Errors: a sentence.
 */
int control_run(struct store *store, struct unread *unread, const char *request,
                struct buffer *ret_output, struct registry_change **ret_change, struct error *err);

/*
 * First start: project `default`, a key with all scopes, DIR/first-key. Nothing if any project
 * exists. *ret_created tells. Ended at any point, it leaves the project with its key and the file,
 * or no project, and is done again.
 */
int control_first_start(struct store *store, const char *directory, bool *ret_created,
                        struct error *err);

#endif
