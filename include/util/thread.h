/* A few threads that run blocking jobs in order of arrival. Signals are blocked on them. */
#ifndef THREAD_H
#define THREAD_H

#include <stddef.h>

#include "error.h"

struct lanes;

/* A job runs on one lane; lane_state is what lane_open returned on that thread (a store reader,
 * say). */
typedef void lane_job(void *context, void *lane_state);

struct lanes_options {
    size_t threads;
    size_t queue_limit;                   /* jobs that may wait */
    const char *name;                     /* of the threads, at most 15 characters */
    void *(*lane_open)(void *context);    /* on each thread, first; may be NULL */
    void (*lane_close)(void *lane_state); /* on each thread, last; may be NULL */
    void *context;
};

int lanes_new(const struct lanes_options *options, struct lanes **ret_lanes, struct error *err);

/* Any thread; -1 when the queue is full. */
int lanes_add(struct lanes *lanes, lane_job *job, void *context);
size_t lanes_waiting(struct lanes *lanes);
void lanes_free(struct lanes *lanes); /* runs what waits, then joins */

#endif
