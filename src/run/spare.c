/*
 * Spares: booted workers without code, a few for each interpreter. One is used up by each hand-over
 * and replaced a moment later, so that the boot of the next does not compete with the call that is
 * being served.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "log.h"
#include "mem.h"

enum {
    REFILL_US = 30000,
    RETRY_US = 1000000, /* after a spare that never booted; doubled up to RETRY_MAX_US */
    RETRY_MAX_US = 60000000
};

static size_t wanted(const struct spare_set *set)
{
    size_t count = (size_t)set->run->settings->spares;
    return count < COUNT(set->workers) ? count : COUNT(set->workers);
}

static void refill(void *context);

static void refill_later(struct spare_set *set, int64_t wait_us)
{
    if (set->refill_timer.heap_index != 0)
        return;
    loop_timer_arm(set->run->loop, &set->refill_timer, loop_now_us(set->run->loop) + wait_us,
                   refill, set);
}

static void fail_later(struct spare_set *set)
{
    int64_t wait_us = (int64_t)RETRY_US << (set->failures < 6 ? set->failures : 6);
    set->failures++;
    refill_later(set, wait_us < RETRY_MAX_US ? wait_us : RETRY_MAX_US);
}

static void refill(void *context)
{
    struct spare_set *set = context;
    struct run *run = set->run;
    while (set->count < wanted(set) && !run->is_stopping) {
        /* Never the last room: a function without a spare must still find a place. */
        if (run->worker_count + 1 >= run->worker_limit || !run_has_room(run, SPARE_MEMORY_MB, 1) ||
            !list_is_empty(&run->starved)) {
            refill_later(set, RETRY_US);
            return;
        }
        struct error err;
        struct worker *worker = worker_start(run, NULL, set, &err);
        if (worker == NULL) {
            log_warning("spare of %s: %s", set->interpreter->path, err.message);
            fail_later(set);
            return;
        }
        set->workers[set->count++] = worker;
    }
}

static void take_out(struct spare_set *set, const struct worker *worker)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->workers[i] == worker) {
            set->workers[i] = set->workers[--set->count];
            return;
        }
}

struct worker *spare_take(struct run *run, struct pool *pool, const struct buffer *launch)
{
    for (size_t i = 0; i < run->spare_sets; i++) {
        struct spare_set *set = &run->spares[i];
        if (set->interpreter != pool->interpreter || set->launch.size != launch->size ||
            memcmp(set->launch.data, launch->data, launch->size) != 0)
            continue;
        for (size_t k = 0; k < set->count; k++) {
            struct worker *worker = set->workers[k];
            if (worker->state != WORKER_BOOTED)
                continue;
            take_out(set, worker);
            refill_later(set, REFILL_US);
            return worker;
        }
    }
    return NULL;
}

void spare_gone(struct worker *worker, const char *sentence)
{
    struct spare_set *set = worker->spares;
    take_out(set, worker);
    if (set->run->is_stopping)
        return;
    if (worker->said_hello) {
        refill_later(set, REFILL_US);
        return;
    }
    log_warning("spare of %s: %s", set->interpreter->path, sentence);
    fail_later(set);
}

bool spare_evict(struct run *run)
{
    for (size_t i = 0; i < run->spare_sets; i++)
        for (size_t k = 0; k < run->spares[i].count; k++)
            if (run->spares[i].workers[k]->state == WORKER_BOOTED) {
                worker_event(run->spares[i].workers[k], EVENT_STOP);
                return true;
            }
    return false;
}

void spares_open(struct run *run)
{
    if (!run->welcome.late_code || run->settings->spares == 0)
        return;
    size_t count = runtimes_count(run->options.runtimes);
    const struct specification *specification = run_specification(NULL);
    run->spares = xcalloc(count == 0 ? 1 : count, sizeof(*run->spares));
    run->spare_sets = count;
    for (size_t i = 0; i < count; i++) {
        struct spare_set *set = &run->spares[i];
        set->run = run;
        set->interpreter = runtimes_at(run->options.runtimes, i);
        set->memory_mb = (uint32_t)specification->memory_mb;
        set->cpus_milli = (uint32_t)specification->cpus_milli;
        buffer_init(&set->launch, (size_t)1 << 20);
        runtime_launch(set->interpreter, specification->memory_mb, NULL, 0, &set->launch);
        refill(set);
    }
}

void spares_close(struct run *run)
{
    for (size_t i = 0; i < run->spare_sets; i++) {
        loop_timer_cancel(run->loop, &run->spares[i].refill_timer);
        buffer_release(&run->spares[i].launch);
    }
    free(run->spares);
    run->spares = NULL;
    run->spare_sets = 0;
}
