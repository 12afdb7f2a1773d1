/*
 * Removes what has been kept long enough: executions, deployments that are not in use, hours of
 * usage.
 */
#ifndef RETENTION_H
#define RETENTION_H

#include "daemon.h"

/*
 * In a lane, db is its reader. Finished executions after execution_retention_days, deployments
 * after the days their function says, both in small steps and for some seconds at most: what is
 * left is for the next time. Looking for old hours of usage means reading most of them: with_usage
 * once a day is enough. What fails is logged.
 */
void retention_run(struct api *api, struct db *db, int64_t now_us, bool with_usage);

#endif
