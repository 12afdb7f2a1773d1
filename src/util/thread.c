/* Lanes: threads that take jobs from one queue, a ring of fixed size. See thread.h. */
#include "thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

struct job {
    lane_job *run;
    void *context;
};

struct lanes {
    struct lanes_options options;
    char name[16];
    pthread_t *threads;
    size_t started;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t arrived;
    struct job *ring;
    size_t first;
    size_t waiting;
    bool stopping;
};

/* The next job; false when there will be none. */
static bool lane_wait(struct lanes *lanes, struct job *ret_job)
{
    bool found = false;
    pthread_mutex_lock(&lanes->lock);
    while (lanes->waiting == 0 && !lanes->stopping)
        pthread_cond_wait(&lanes->arrived, &lanes->lock);
    if (lanes->waiting > 0) {
        *ret_job = lanes->ring[lanes->first];
        lanes->first = (lanes->first + 1) % lanes->options.queue_limit;
        lanes->waiting--;
        found = true;
    }
    pthread_mutex_unlock(&lanes->lock);
    return found;
}

static void *lane_main(void *context)
{
    struct lanes *lanes = context;
    pthread_setname_np(pthread_self(), lanes->name);
    void *state = NULL;
    if (lanes->options.lane_open != NULL)
        state = lanes->options.lane_open(lanes->options.context);

    struct job job;
    while (lane_wait(lanes, &job))
        job.run(job.context, state);

    if (lanes->options.lane_close != NULL)
        lanes->options.lane_close(state);
    return NULL;
}

/* Signals are for the thread that has the loop. */
static int start_thread(struct lanes *lanes)
{
    sigset_t all;
    sigset_t kept;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept);
    int reason = pthread_create(&lanes->threads[lanes->started], NULL, lane_main, lanes);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    if (reason == 0)
        lanes->started++;
    return reason;
}

int lanes_new(const struct lanes_options *options, struct lanes **ret_lanes, struct error *err)
{
    struct lanes *lanes = xcalloc(1, sizeof(*lanes));
    lanes->options = *options;
    if (lanes->options.queue_limit == 0)
        lanes->options.queue_limit = 1;
    snprintf(lanes->name, sizeof(lanes->name), "%s",
             options->name == NULL ? "lane" : options->name);
    lanes->options.name = lanes->name;
    lanes->threads = xcalloc(options->threads, sizeof(*lanes->threads));
    lanes->ring = xcalloc(lanes->options.queue_limit, sizeof(*lanes->ring));
    pthread_mutex_init(&lanes->lock, NULL);
    pthread_cond_init(&lanes->arrived, NULL);

    for (size_t i = 0; i < options->threads; i++) {
        int reason = start_thread(lanes);
        if (reason != 0) {
            char text[128];
            fail(err, ERROR_INTERNAL, "start thread %s: %s", lanes->name,
                 strerror_r(reason, text, sizeof(text)));
            lanes_free(lanes);
            return -1;
        }
    }
    *ret_lanes = lanes;
    return 0;
}

int lanes_add(struct lanes *lanes, lane_job *job, void *context)
{
    int result = -1;
    pthread_mutex_lock(&lanes->lock);
    if (lanes->waiting < lanes->options.queue_limit && !lanes->stopping) {
        size_t last = (lanes->first + lanes->waiting) % lanes->options.queue_limit;
        lanes->ring[last] = (struct job){ .run = job, .context = context };
        lanes->waiting++;
        result = 0;
        pthread_cond_signal(&lanes->arrived);
    }
    pthread_mutex_unlock(&lanes->lock);
    return result;
}

size_t lanes_waiting(struct lanes *lanes)
{
    pthread_mutex_lock(&lanes->lock);
    size_t waiting = lanes->waiting;
    pthread_mutex_unlock(&lanes->lock);
    return waiting;
}

void lanes_free(struct lanes *lanes)
{
    if (lanes == NULL)
        return;
    pthread_mutex_lock(&lanes->lock);
    lanes->stopping = true;
    pthread_cond_broadcast(&lanes->arrived);
    pthread_mutex_unlock(&lanes->lock);
    for (size_t i = 0; i < lanes->started; i++)
        pthread_join(lanes->threads[i], NULL);

    pthread_cond_destroy(&lanes->arrived);
    pthread_mutex_destroy(&lanes->lock);
    free(lanes->ring);
    free(lanes->threads);
    free(lanes);
}
