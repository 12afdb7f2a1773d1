/*
 * The supervisor: the process that keeps what privilege there is. It holds the data directory's
 * lock and the listening socket, starts the api and every child in a sandbox, and ends them. One
 * thread, no network input, no database.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include "error.h"
#include "settings.h"

/*
 * Serves until TERM or INT. settings is borrowed. Returns the exit status of the program. api_argv:
 * argv of the api role of our own binary, NULL-terminated; it gets the listening socket as
 * descriptor 3, the message socket as 4 and the settings as lines in a sealed memfd as 5.
 */
int supervisor_serve(const struct settings *settings, char *const *api_argv);

/* What `functiond check` prints: probes as serve would, serves nothing. Returns the exit status. */
int supervisor_check(const struct settings *settings);

#endif
