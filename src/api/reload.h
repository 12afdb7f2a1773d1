/* Taking over what changed in the store by other ways than a call. */
#ifndef RELOAD_H
#define RELOAD_H

#include "daemon.h"

/* Loop. Reads a function again in a lane, then replaces its live record. */
void reload_function(struct api *api, const char *project_id, const char *function_id);

#endif
