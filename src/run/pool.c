/*
 * The workers of one deployment and the calls that wait for them.
 *
 * One worker serves a function until calls wait: then another is started, one at a time. The bounds
 * of the whole server (workers, memory) come first: an idle worker of another function ends to make
 * room, and a pool that finds none waits in run->starved.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "log.h"
#include "mem.h"

enum {
    GROW_AFTER_US = 5000, /* calls that waited so long want another worker */
    RETRY_US = 100000,    /* after a failed start; doubled up to RETRY_MAX_US */
    RETRY_MAX_US = 10000000,
    QUICK_US = 1000, /* a serial worker that is quicker is given several requests ahead */
    QUICK_DEPTH = 64,
    PACKED_US = 1000 /* work ahead of a serial worker below which no other is woken */
};

/*
 * Requests a worker may have in flight. A serial one answers in order; what it does quickly it is
 * given ahead, because many frames in one write cost less than a turn each.
 */
size_t pool_depth(const struct pool *pool)
{
    const struct settings *settings = pool->run->settings;
    if (pool->interpreter->family->concurrent)
        return (size_t)(settings->function_concurrency < 65534 ? settings->function_concurrency
                                                               : 65534);
    return pool->service_us > 0 && pool->service_us < QUICK_US ? QUICK_DEPTH : 1;
}

static bool is_live(const struct worker *worker)
{
    return worker->state == WORKER_STARTING || worker->state == WORKER_LOADING ||
           worker->state == WORKER_READY || worker->state == WORKER_BUSY;
}

bool pool_is_open(const struct pool *pool)
{
    for (size_t i = 0; i < pool->worker_count; i++)
        if (pool->workers[i]->was_loaded && is_live(pool->workers[i]))
            return true;
    return false;
}

static size_t count_live(const struct pool *pool, size_t *ret_starting)
{
    size_t live = 0, starting = 0;
    for (size_t i = 0; i < pool->worker_count; i++) {
        const struct worker *worker = pool->workers[i];
        live += is_live(worker);
        starting += worker->state == WORKER_STARTING || worker->state == WORKER_LOADING;
    }
    *ret_starting = starting;
    return live;
}

static void add_worker(struct pool *pool, struct worker *worker)
{
    if (pool->worker_count == pool->worker_capacity) {
        pool->worker_capacity = pool->worker_capacity == 0 ? 4 : 2 * pool->worker_capacity;
        pool->workers = xrealloc(pool->workers, pool->worker_capacity * sizeof(struct worker *));
    }
    pool->workers[pool->worker_count++] = worker;
}

static void remove_worker(struct pool *pool, const struct worker *worker)
{
    for (size_t i = 0; i < pool->worker_count; i++)
        if (pool->workers[i] == worker) {
            memmove(&pool->workers[i], &pool->workers[i + 1],
                    (pool->worker_count - i - 1) * sizeof(struct worker *));
            pool->worker_count--;
            return;
        }
}

/* ---- starting workers ---------------------------------------------------------------------- */

/* Room is already being made for everyone who wants it. */
static bool enough_are_ending(const struct run *run)
{
    size_t ending = 0, wanted = 0;
    for (struct list *link = run->workers.next; link != &run->workers; link = link->next) {
        const struct worker *worker = list_member(link, struct worker, link);
        ending += worker->state == WORKER_STOPPING || worker->state == WORKER_KILLED;
    }
    for (struct list *link = run->starved.next; link != &run->starved; link = link->next)
        wanted++;
    return ending >= wanted;
}

/* Ends the worker that is idle for longest and serves nobody of this pool. */
static bool evict_idle(struct run *run, const struct pool *except)
{
    for (struct list *link = run->idle.next; link != &run->idle; link = link->next) {
        struct worker *worker = list_member(link, struct worker, idle_link);
        if (worker->pool != except) {
            worker_event(worker, EVENT_STOP);
            return true;
        }
    }
    return spare_evict(run);
}

static void starve(struct pool *pool)
{
    if (!list_is_linked(&pool->starved_link))
        list_append(&pool->run->starved, &pool->starved_link);
}

void pool_fail_waiting(struct pool *pool, int code, const char *sentence)
{
    struct list *link;
    while ((link = list_first(&pool->waiting)) != NULL) {
        struct run_call *call = list_member(link, struct run_call, link);
        pool_withdraw(pool, call);
        run_call_fail(call, code, sentence);
    }
}

static void start_failed(struct pool *pool, const char *sentence)
{
    int64_t wait_us = (int64_t)RETRY_US << (pool->failures < 7 ? pool->failures : 7);
    pool->failures++;
    pool->retry_us = loop_now_us(pool->run->loop) +
                     (wait_us < RETRY_MAX_US ? wait_us : RETRY_MAX_US);
    size_t starting;
    if (count_live(pool, &starting) == 0)
        pool_fail_waiting(pool, 500, sentence);
}

/* Starts a worker now if it may be; false: the bounds do not allow it. */
static bool start_one(struct pool *pool)
{
    struct run *run = pool->run;
    struct worker *worker = NULL;
    if (!pool->avoids_spares && !environment_needs_own_start(pool) &&
        run_has_room(run, pool->memory_mb, 0)) {
        struct buffer launch;
        buffer_init(&launch, (size_t)64 << 20);
        environment_launch(pool, &launch);
        worker = spare_take(run, pool, &launch);
        buffer_release(&launch);
    }
    if (worker != NULL) {
        add_worker(pool, worker);
        worker_give(worker, pool);
        return true;
    }
    if (!run_has_room(run, pool->memory_mb, 1))
        return false;

    struct error err;
    worker = worker_start(run, pool, NULL, &err);
    if (worker == NULL) {
        char sentence[512];
        snprintf(sentence, sizeof(sentence), "The worker could not be started: %.400s",
                 err.message);
        log_error("function %s: %s", pool->function->function.id, sentence);
        start_failed(pool, sentence);
        return false;
    }
    add_worker(pool, worker);
    return true;
}

static bool may_grow(const struct pool *pool, size_t live)
{
    return live < (size_t)pool->run->settings->function_workers && !pool->run->is_stopping;
}

static void grow_fired(void *context);

static void arm_growth(struct pool *pool, int64_t due_us)
{
    if (pool->grow_timer.heap_index == 0)
        loop_timer_arm(pool->run->loop, &pool->grow_timer, due_us, grow_fired, pool);
}

/* Somebody waits: start what is needed and allowed. */
static void grow(struct pool *pool)
{
    struct run *run = pool->run;
    int64_t now_us = loop_now_us(run->loop);
    struct list *first = list_first(&pool->waiting);
    size_t starting;
    size_t live = count_live(pool, &starting);
    if (first == NULL || starting > 0 || (live > 0 && !may_grow(pool, live)))
        return;
    struct run_call *oldest = list_member(first, struct run_call, link);
    int64_t due_us = live == 0 ? now_us : oldest->queued_us + GROW_AFTER_US;
    if (due_us < pool->retry_us)
        due_us = pool->retry_us;
    if (due_us > now_us) {
        arm_growth(pool, due_us);
        return;
    }
    if (start_one(pool))
        return;
    if (pool->retry_us > now_us) {
        arm_growth(pool, pool->retry_us);
        return;
    }
    starve(pool);
    if (!enough_are_ending(run))
        evict_idle(run, pool);
}

static void grow_fired(void *context)
{
    grow(context);
}

void pools_use_room(struct run *run)
{
    /* Each starved pool tries once; those that cannot come back at the end. */
    struct list round;
    list_init(&round);
    struct list *link;
    while ((link = list_take_first(&run->starved)) != NULL)
        list_append(&round, link);
    while ((link = list_take_first(&round)) != NULL)
        grow(list_member(link, struct pool, starved_link));
}

/* ---- calls --------------------------------------------------------------------------------- */

static bool suits(const struct worker *worker, const struct run_call *call)
{
    if (!worker_has_room(worker))
        return false;
    /* Behind another request it could wait for the very one that waits for it. */
    return !call->from_inside || worker->in_flight == 0 || !worker_is_serial(worker);
}

/*
 * Quick work is not spread over all workers there are: many frames in one write are worth more than
 * cores that take turns with one frame each, and workers that are not needed end.
 */
static bool takes_at_once(const struct pool *pool, const struct worker *worker)
{
    return worker->in_flight == 0 ||
           (worker_is_serial(worker) && (int64_t)worker->in_flight * pool->service_us < PACKED_US);
}

static struct worker *choose(const struct pool *pool, const struct run_call *call)
{
    struct worker *best = NULL;
    for (size_t i = 0; i < pool->worker_count; i++) {
        struct worker *worker = pool->workers[i];
        if (!suits(worker, call))
            continue;
        if (takes_at_once(pool, worker))
            return worker;
        if (best == NULL || worker->in_flight < best->in_flight)
            best = worker;
    }
    return best;
}

static void enqueue(struct pool *pool, struct run_call *call)
{
    call->state = CALL_WAITING;
    call->pool = pool;
    /* Somebody who holds a worker waits for it: first. */
    if (call->from_inside && !list_is_empty(&pool->waiting))
        list_append(pool->waiting.next, &call->link);
    else
        list_append(&pool->waiting, &call->link);
    pool->waiting_count++;
    pool->run->waiting++;
}

void pool_withdraw(struct pool *pool, struct run_call *call)
{
    list_remove(&call->link);
    call->pool = NULL;
    pool->waiting_count--;
    pool->run->waiting--;
}

/* A call from inside must not wait for a worker that may never come. */
static int put_from_inside(struct pool *pool, struct run_call *call)
{
    size_t starting;
    size_t live = count_live(pool, &starting);
    if (starting <= pool->waiting_count && (!may_grow(pool, live) || !start_one(pool)))
        return -1;
    enqueue(pool, call);
    return 0;
}

int pool_put(struct pool *pool, struct run_call *call)
{
    if (list_is_empty(&pool->waiting)) {
        struct worker *worker = choose(pool, call);
        if (worker != NULL) {
            worker_assign(worker, call);
            return 0;
        }
    }
    if (pool->waiting_count >= (size_t)pool->run->settings->function_queue ||
        pool->run->is_stopping)
        return -1;
    if (call->from_inside)
        return put_from_inside(pool, call);
    enqueue(pool, call);
    grow(pool);
    return 0;
}

static void end_if_idle(struct worker *worker)
{
    if (worker->state == WORKER_READY)
        worker_event(worker, EVENT_STOP);
}

void pool_worker_ready(struct pool *pool, struct worker *worker)
{
    struct list *link;
    pool->failures = 0;
    while ((link = list_first(&pool->waiting)) != NULL) {
        struct run_call *call = list_member(link, struct run_call, link);
        if (!suits(worker, call))
            break;
        pool_withdraw(pool, call);
        worker_assign(worker, call);
    }
    if (!list_is_empty(&pool->waiting)) {
        grow(pool);
        return;
    }
    if (pool->is_draining || pool->run->is_stopping)
        end_if_idle(worker);
    else if (worker->state == WORKER_READY && !list_is_empty(&pool->run->starved))
        pools_use_room(pool->run);
}

void pool_worker_gone(struct pool *pool, struct worker *worker, const char *sentence)
{
    remove_worker(pool, worker);
    if (!worker->was_loaded && !worker->was_spare)
        start_failed(pool, sentence);
    else
        grow(pool);
    if (pool->is_draining && pool->worker_count == 0 && list_is_empty(&pool->waiting))
        pool_free(pool);
}

/* ---- life ---------------------------------------------------------------------------------- */

int pool_of(struct run *run, struct live_function *function, struct pool **ret_pool,
            struct error *err)
{
    if (function->pool != NULL) {
        *ret_pool = function->pool;
        return 0;
    }
    const struct interpreter *interpreter;
    bool is_exact;
    if (runtimes_resolve(run->options.runtimes, function->function.runtime,
                         run->settings->runtime_substitute, &interpreter, &is_exact, err) < 0)
        return -1;
    const struct specification *specification = run_specification(
        function->function.runtime_specification);
    struct pool *pool = xcalloc(1, sizeof(*pool));
    *pool = (struct pool){ .run = run,
                           .function = function,
                           .interpreter = interpreter,
                           .memory_mb = (uint32_t)specification->memory_mb,
                           .cpus_milli = (uint32_t)specification->cpus_milli };
    list_init(&pool->waiting);
    list_append(&run->pools, &pool->link);
    live_function_keep(function);
    function->pool = pool;
    *ret_pool = pool;
    return 0;
}

void pool_drain(struct pool *pool)
{
    pool->is_draining = true;
    for (size_t i = pool->worker_count; i-- > 0;)
        worker_event(pool->workers[i], EVENT_STOP);
    if (pool->worker_count == 0 && list_is_empty(&pool->waiting))
        pool_free(pool);
}

void pool_free(struct pool *pool)
{
    loop_timer_cancel(pool->run->loop, &pool->grow_timer);
    list_remove(&pool->link);
    list_remove(&pool->starved_link);
    if (pool->function->pool == pool)
        pool->function->pool = NULL;
    live_function_drop(pool->function);
    free(pool->workers);
    free(pool);
}
