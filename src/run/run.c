/* The room as a whole: its beginning and end, what bounds all of it, and the write at the end of
 * each turn. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "fd.h"
#include "internal.h"
#include "log.h"
#include "mem.h"

enum { WELCOME_MS = 10000, REPORT_BYTES = 1 << 20 };

/* ---- bounds -------------------------------------------------------------------------------- */

bool run_has_room(const struct run *run, uint32_t memory_mb, size_t workers)
{
    if (run->worker_count + workers > run->worker_limit)
        return false;
    /* One that is larger than everything may still run alone. */
    return run->memory_mb == 0 || run->memory_mb + memory_mb <= run->memory_limit_mb;
}

void run_count_worker(struct worker *worker, uint32_t memory_mb)
{
    worker->run->memory_mb -= worker->counted_mb;
    worker->counted_mb = memory_mb;
    worker->run->memory_mb += memory_mb;
}

static void bound(struct run *run)
{
    const struct settings *settings = run->settings;
    run->worker_limit = (size_t)settings->worker_limit;
    /* Builds need places of their own. */
    size_t builds = (size_t)settings->builds;
    if (run->welcome.slots > 0 && run->worker_limit + builds > run->welcome.slots)
        run->worker_limit = run->welcome.slots > builds ? run->welcome.slots - builds : 1;
    run->memory_limit_mb = settings->memory_total_mb > 0 ? (uint64_t)settings->memory_total_mb
                                                         : run->welcome.memory_bytes / 4 * 3 >> 20;
    if (run->memory_limit_mb == 0)
        run->memory_limit_mb = UINT32_MAX;
    run->network = strcmp(settings->network, "none") == 0  ? NETWORK_NONE
                   : strcmp(settings->network, "any") == 0 ? NETWORK_ANY
                                                           : NETWORK_OUTBOUND;
}

/* ---- the beginning ------------------------------------------------------------------------- */

static int await_welcome(struct run *run, int fd, struct error *err)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    union message message;
    int fds[FD_MAX_PASSED];
    size_t fd_count = 0;
    int count;
    do
        count = poll(&ready, 1, WELCOME_MS);
    while (count < 0 && errno == EINTR);
    if (count <= 0)
        return fail(err, ERROR_INTERNAL, "the supervisor does not answer");
    ssize_t got = fd_receive_packet(fd, &message, sizeof(message), fds, &fd_count);
    if (got < 0)
        return fail_errno(err, "supervisor socket");
    bool is_welcome = (size_t)got == sizeof(message.welcome) && message.type == MESSAGE_WELCOME;
    int result = 0;
    if (!is_welcome || fd_count != 1) {
        result = fail(err, ERROR_INTERNAL, "the supervisor did not say welcome");
    } else {
        run->welcome = message.welcome;
        run->host_report = xcalloc(1, REPORT_BYTES + 1);
        ssize_t bytes = fd_read_all(fds[0], run->host_report, REPORT_BYTES);
        if (bytes < 0)
            result = fail_errno(err, "host report");
        size_t size = bytes < 0 ? 0 : (size_t)bytes;
        run->host_report = xrealloc(run->host_report, size + 1);
        run->host_report[size] = '\0';
    }
    for (size_t i = 0; i < fd_count; i++)
        fd_close(&fds[i]);
    return result;
}

/* All frames of a turn leave in one write per worker. */
static void write_all(void *context)
{
    struct run *run = context;
    struct list *link;
    while ((link = list_take_first(&run->dirty)) != NULL)
        channel_flush(&list_member(link, struct worker, dirty_link)->channel);
}

/* Frames made behind write_all's back, by a hook that runs after it, do not wait for the next
 * event. */
static int64_t longest_wait_us(void *context)
{
    const struct run *run = context;
    return list_is_empty(&run->dirty) ? -1 : 0;
}

static struct run *make(const struct run_options *options)
{
    struct run *run = xcalloc(1, sizeof(*run));
    run->options = *options;
    run->loop = options->loop;
    run->settings = options->settings;
    run->link.fd = -1;
    run->scratch = xmalloc(CHANNEL_READ);
    struct list *const lists[] = { &run->workers, &run->idle,    &run->dirty,
                                   &run->pools,   &run->starved, &run->free_calls };
    for (size_t i = 0; i < COUNT(lists); i++)
        list_init(lists[i]);
    char path[PATH_MAX];
    run->data_directory = xstrdup(
        realpath(options->settings->data, path) != NULL ? path : options->settings->data);
    return run;
}

int run_new(const struct run_options *options, struct run **ret_run, struct error *err)
{
    struct run *run = make(options);
    if (await_welcome(run, options->supervisor_fd, err) < 0) {
        int fd = options->supervisor_fd;
        fd_close(&fd);
        run_free(run);
        return -1;
    }
    bound(run);
    if (link_open(&run->link, run, options->supervisor_fd, err) < 0) {
        run_free(run);
        return -1;
    }
    loop_at_turn_end(run->loop, write_all, run);
    loop_limit_wait(run->loop, longest_wait_us, run);
    run->queue = queue_new(run);
    spares_open(run);
    *ret_run = run;
    return 0;
}

const char *run_host_report(const struct run *run)
{
    return run->host_report;
}

/* ---- change -------------------------------------------------------------------------------- */

static void move_waiting(struct run *run, struct pool *pool, struct live_function *new)
{
    struct list *link;
    while ((link = list_first(&pool->waiting)) != NULL) {
        struct run_call *call = list_member(link, struct run_call, link);
        struct pool *next;
        struct error err;
        pool_withdraw(pool, call);
        live_function_keep(new);
        live_function_drop(call->function);
        call->function = new;
        if (pool_of(run, new, &next, &err) < 0)
            run_call_fail(call, error_rows[err.type].code, err.message);
        else if (pool_put(next, call) < 0)
            call_complete(call, RUN_OVERLOADED);
    }
}

void run_function_changed(struct run *run, struct live_function *old, struct live_function *new)
{
    struct pool *pool = old == NULL ? NULL : old->pool;
    if (pool == NULL)
        return;
    old->pool = NULL;
    if (new != NULL &&new->generation == old->generation &&new->pool == NULL) {
        new->pool = pool;
        pool->function = new;
        live_function_keep(new);
        live_function_drop(old);
        return;
    }
    if (new != NULL &&new->deployment.id[0] != '\0')
        move_waiting(run, pool, new);
    else
        pool_fail_waiting(pool, 404,
                          "The function or its deployment was removed before the call could run.");
    pool_drain(pool);
}

/* ---- figures and the end ------------------------------------------------------------------- */

void run_figures(const struct run *run, struct run_figures *ret_figures)
{
    size_t spares = 0;
    for (size_t i = 0; i < run->spare_sets; i++)
        spares += run->spares[i].count;
    *ret_figures = (struct run_figures){
        .running = run->running,
        .waiting = run->waiting,
        .queued = queue_waiting(run->queue),
        .workers = run->worker_count - spares,
        .spares = spares,
        .worker_failures = run->worker_failures,
    };
}

bool run_is_idle(const struct run *run)
{
    return run->running == 0 && run->waiting == 0 && queue_running(run->queue) == 0;
}

void run_stop(struct run *run)
{
    run->is_stopping = true;
    /* A step only asks for an end: it takes no worker from the list. */
    for (struct list *link = run->workers.next; link != &run->workers; link = link->next) {
        struct worker *worker = list_member(link, struct worker, link);
        if (worker->state == WORKER_READY || worker->state == WORKER_BOOTED)
            worker_event(worker, EVENT_STOP);
    }
}

static void free_calls(struct list *calls)
{
    struct list *link;
    while ((link = list_take_first(calls)) != NULL) {
        struct run_call *call = list_member(link, struct run_call, link);
        if (call->function != NULL) {
            loop_timer_cancel(call->run->loop, &call->timer);
            live_function_drop(call->function);
        }
        struct buffer *const buffers[] = { &call->head,         &call->answer_head,
                                           &call->sender.body,  &call->result.headers,
                                           &call->result.body,  &call->result.logs,
                                           &call->result.errors };
        for (size_t i = 0; i < COUNT(buffers); i++)
            buffer_release(buffers[i]);
        free(call);
    }
}

void run_free(struct run *run)
{
    if (run == NULL)
        return;
    if (run->is_stopping) {
        struct message_stop message = { .type = MESSAGE_CLEAN_SHUTDOWN };
        link_send(&run->link, &message, sizeof(message));
        link_flush(&run->link);
    }
    queue_free(run->queue);
    struct list *link;
    while ((link = list_first(&run->workers)) != NULL) {
        struct worker *worker = list_member(link, struct worker, link);
        free_calls(&worker->calls);
        worker_free(worker);
    }
    while ((link = list_first(&run->pools)) != NULL) {
        struct pool *pool = list_member(link, struct pool, link);
        free_calls(&pool->waiting);
        pool_free(pool);
    }
    spares_close(run);
    link_close(&run->link);
    free_calls(&run->free_calls);
    free(run->scratch);
    free(run->host_report);
    free(run->data_directory);
    free(run);
}
