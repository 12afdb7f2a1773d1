/*
 * The fetcher: brings the packages of vcs deployments from their git hosts, then hands them to the
 * builder. Lives on the loop thread; fetching happens on threads of its own, because a slow host
 * must not hold up management requests.
 *
 * waiting -> processing (fetching, then as the builder has it) | failed | canceled
 */
#ifndef FETCHER_H
#define FETCHER_H

#include "daemon.h"

struct fetcher;

/*
 * Begins again what the last daemon left unfinished; what was begun twice fails with a sentence in
 * its log. After the builder.
 */
int fetcher_new(struct api *api, struct db *db, struct fetcher **ret_fetcher, struct error *err);
/* Ends what is under way; before the store is closed. NULL is fine. */
void fetcher_free(struct fetcher *fetcher);

/* Loop thread. A deployment with a source_url and without a package has been committed. */
void fetcher_add(struct fetcher *fetcher, const char *project_id, const char *function_id,
                 const char *deployment_id);
/* Loop thread. The row is canceled or gone already. Not fetching is fine. */
void fetcher_cancel(struct fetcher *fetcher, const char *deployment_id);
void fetcher_stop(struct fetcher *fetcher); /* rows stay, to be begun again */

#endif
