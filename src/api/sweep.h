/* Removes what nobody comes back for: uploads that were never finished, and files a crash or the
 * end of a project left behind. */
#ifndef SWEEP_H
#define SWEEP_H

#include "daemon.h"

/* Before serving: files of requests that an earlier daemon did not end. */
void sweep_leftovers(const char *data_directory);

/*
 * Loop: uploads without a piece for upload_hours, what retention.h says, and what no row refers to
 * (sweep_files.h), now and every quarter of an hour from now on.
 */
struct sweep;
struct sweep *sweep_new(struct api *api);
void sweep_free(struct sweep *sweep); /* after the lanes have ended */

#endif
