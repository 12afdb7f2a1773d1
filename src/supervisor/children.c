/*
 * Children: workers, spares and builds, from START to EXITED.
 *
 *   PREPARING --cache ready--> RUNNING --ended or killed--> ENDING --tree empty--> CLEANING --tmp
 * removed--> gone
 *       \________________________ could not start ____________________________________^
 *
 * EXITED is sent when the last process of the tree is gone, so that the api never counts a slot as
 * free that is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "inner.h"
#include "log.h"
#include "mem.h"
#include "text.h"

static const int64_t KILL_PAUSE_US = 2000, KILL_PAUSE_MOST_US = 100000;
static const int64_t KILL_GIVE_UP_US = 5000000;

static const char *const kind_names[SANDBOX_KINDS] = {
    [SANDBOX_WORKER] = "worker", [SANDBOX_SPARE] = "spare", [SANDBOX_UNPACK] = "unpack",
    [SANDBOX_BUILD] = "build",   [SANDBOX_PACK] = "pack",
};

static bool is_of_build(enum sandbox_kind kind)
{
    return kind == SANDBOX_UNPACK || kind == SANDBOX_BUILD || kind == SANDBOX_PACK;
}

/* ---- table ---------------------------------------------------------------------------------- */

static struct child *children_find(const struct supervisor *supervisor, uint64_t worker_id)
{
    for (size_t i = 0; i < supervisor->child_count; i++) {
        struct child *child = supervisor->children[i];

        if (child->worker_id == worker_id && !child->orphan && child->state != CHILD_CLEANING)
            return child;
    }
    return NULL;
}

struct child *children_find_serial(const struct supervisor *supervisor, uint64_t serial)
{
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (supervisor->children[i]->serial == serial)
            return supervisor->children[i];
    return NULL;
}

bool children_use_tree(const struct supervisor *supervisor, const char *tree)
{
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (text_equals(supervisor->children[i]->tree, tree))
            return true;
    return false;
}

bool children_use_cache(const struct supervisor *supervisor, const char *cache)
{
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (text_equals(supervisor->children[i]->cache, cache))
            return true;
    return false;
}

static struct child *child_new(struct supervisor *supervisor, const struct message_start *start)
{
    struct child *child = xcalloc(1, sizeof(*child));

    child->supervisor = supervisor;
    child->worker_id = start->worker_id;
    child->serial = ++supervisor->last_serial;
    child->state = CHILD_PREPARING;
    child->kind = start->kind;
    child->network = start->network;
    child->own_program = (start->flags & START_OWN_PROGRAM) != 0;
    snprintf(child->tree, sizeof(child->tree), "%s", start->tree);
    for (size_t i = 0; i < LAUNCH_FDS; i++)
        child->fds[i] = -1;
    plan_limit(supervisor, start->kind, start->memory_mb, start->cpus_milli, start->cpu_seconds,
               &child->limit);
    supervisor->children = xrealloc(supervisor->children,
                                    (supervisor->child_count + 1) * sizeof(*supervisor->children));
    supervisor->children[supervisor->child_count++] = child;
    return child;
}

static void child_drop_start(struct child *child)
{
    for (size_t i = 0; i < LAUNCH_FDS; i++)
        fd_close(&child->fds[i]);
    launch_release(&child->launch);
}

/* The last of a child: its row. */
static void child_remove(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;

    loop_timer_cancel(supervisor->loop, &child->kill_timer);
    child_drop_start(child);
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (supervisor->children[i] == child)
            supervisor->children[i] = supervisor->children[--supervisor->child_count];
    free(child);
    trees_collect(supervisor);
    serve_check_finished(supervisor);
}

/* ---- gone ----------------------------------------------------------------------------------- */

static void cleaned(struct supervisor *supervisor, void *context, const char *error)
{
    struct child *child = context;

    if (child->tmp[0] != '\0' && error[0] == '\0' &&
        unlinkat(supervisor->data.tmp_fd, child->tmp, AT_REMOVEDIR) < 0 && errno != ENOENT)
        error = strerror(errno);
    if (error[0] != '\0')
        log_warning("tmp/%s: cannot be removed: %s", child->tmp, error);
    if (!is_of_build(child->kind)) { /* a build's slot belongs to its tree */
        if (error[0] != '\0')
            slots_quarantine(&supervisor->slots, child->slot_uid);
        else
            slots_give_back(&supervisor->slots, child->slot_uid);
    }
    child_remove(child);
}

static void child_clean(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;
    struct error err;

    child->state = CHILD_CLEANING;
    child->tree[0] = '\0';
    if (child->cache[0] != '\0')
        trees_cache_return(supervisor, child);
    child->cache[0] = '\0';
    if (child->tmp[0] == '\0')
        cleaned(supervisor, child, "");
    else if (trees_tmp_remove(supervisor, child, cleaned, &err) < 0)
        cleaned(supervisor, child, err.message);
}

static void child_failed(struct child *child, const char *sentence)
{
    struct message_failed message = { .type = MESSAGE_START_FAILED, .worker_id = child->worker_id };

    snprintf(message.error, sizeof(message.error), "%s", sentence);
    if (!child->orphan)
        api_process_send(child->supervisor, &message, sizeof(message));
    child_drop_start(child);
    child_clean(child);
}

static void say_exited(const struct child *child, bool hit_memory)
{
    struct message_exited message = {
        .type = MESSAGE_EXITED,
        .worker_id = child->worker_id,
        .reason = child->end.by_signal ? EXIT_SIGNAL : EXIT_STATUS,
        .status = child->end.status,
        .memory_mb = (uint32_t)(child->limit.memory_bytes >> 20),
        .cpu_us = child->end.cpu_us,
        .processes = child->limit.processes,
    };

    if (child->cause == KILL_MEMORY || hit_memory)
        message.reason = EXIT_MEMORY;
    else if (child->cause == KILL_DISK)
        message.reason = EXIT_TMP;
    else if (child->cause == KILL_PROCESSES)
        message.reason = EXIT_PROCESSES;
    api_process_send(child->supervisor, &message, sizeof(message));
}

static void withdraw_code(struct child *child, const char *tree)
{
    struct supervisor *supervisor = child->supervisor;
    auto_free char *source = xasprintf("%s/builds/%s", supervisor->data.path, tree);

    if (child->granted)
        sandbox_code_withdraw(&supervisor->host, child->serial, child->slot_uid, source,
                              child->kind == SANDBOX_SPARE ? tree : NULL);
    child->granted = false;
}

/* Nothing of the tree runs any more, or (abandoned) what is left cannot be ended. */
static void child_gone(struct child *child, bool abandoned)
{
    struct supervisor *supervisor = child->supervisor;
    bool hit_memory = sandbox_hit_memory(&supervisor->host, &child->process);

    loop_timer_cancel(supervisor->loop, &child->kill_timer);
    if (!child->reaped)
        child->end = (struct sandbox_end){ .by_signal = true, .status = SIGKILL };
    log_debug("%s %" PRIu64 ": %s %d", kind_names[child->kind], child->worker_id,
              child->end.by_signal ? "ended by signal" : "exit status", child->end.status);
    withdraw_code(child, child->tree);
    if (!abandoned)
        sandbox_bury(&supervisor->host, &child->process);
    if (!child->orphan)
        say_exited(child, hit_memory);
    if (!abandoned) {
        child_clean(child);
        return;
    }
    log_error("%s %" PRIu64 " (pid %d): still there after %" PRId64
              " s of SIGKILL; its user id %u is not used again",
              kind_names[child->kind], child->worker_id, child->process.pid,
              KILL_GIVE_UP_US / 1000000, child->slot_uid);
    if (!is_of_build(child->kind))
        slots_quarantine(&supervisor->slots, child->slot_uid);
    child_remove(child);
}

static void kill_again(void *context)
{
    struct child *child = context;
    struct supervisor *supervisor = child->supervisor;
    int64_t now_us = clock_monotonic_us();

    if (!child->reaped)
        child->reaped = sandbox_reap(&supervisor->host, &child->process, &child->end);
    if (child->reaped && sandbox_is_empty(&supervisor->host, &child->process, child->slot_uid)) {
        child_gone(child, false);
        return;
    }
    if (now_us - child->kill_began_us > KILL_GIVE_UP_US) {
        child_gone(child, true);
        return;
    }
    sandbox_kill(&supervisor->host, &child->process, child->slot_uid);
    loop_timer_arm(supervisor->loop, &child->kill_timer, now_us + child->kill_pause_us, kill_again,
                   child);
    if (child->kill_pause_us < KILL_PAUSE_MOST_US)
        child->kill_pause_us *= 2;
}

void child_end(struct child *child, enum kill_cause cause)
{
    if (child->cause == KILL_NONE)
        child->cause = cause;
    if (child->state != CHILD_RUNNING)
        return;
    child->state = CHILD_ENDING;
    child->kill_began_us = clock_monotonic_us();
    child->kill_pause_us = KILL_PAUSE_US;
    kill_again(child);
}

bool children_reap(struct supervisor *supervisor, pid_t pid)
{
    for (size_t i = 0; i < supervisor->child_count; i++) {
        struct child *child = supervisor->children[i];

        if (child->process.pid != pid || child->reaped ||
            (child->state != CHILD_RUNNING && child->state != CHILD_ENDING))
            continue;
        child->reaped = sandbox_reap(&supervisor->host, &child->process, &child->end);
        if (!child->reaped)
            return false;
        if (child->state == CHILD_RUNNING)
            child_end(child, KILL_NONE); /* what it leaves behind goes with it */
        else
            kill_again(child);
        return true;
    }
    return false;
}

/* ---- start ---------------------------------------------------------------------------------- */

static void child_run(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;
    struct message_worker message = { .type = MESSAGE_STARTED, .worker_id = child->worker_id };
    struct error err;

    if (child->cause != KILL_NONE || child->orphan) {
        child_failed(child, "killed before it was started");
        return;
    }
    if (plan_start(supervisor, child, &err) < 0) {
        withdraw_code(child, child->tree);
        child_failed(child, err.message);
        return;
    }
    child_drop_start(child);
    child->state = CHILD_RUNNING;
    message.pid = child->process.pid;
    log_debug("%s %" PRIu64 ": started, pid %d, user id %u, sandbox %s", kind_names[child->kind],
              child->worker_id, child->process.pid, child->slot_uid,
              sandbox_profile_name(supervisor->host.profile));
    leftovers_note(supervisor, child);
    watch_wake(supervisor);
    api_process_send(supervisor, &message, sizeof(message));
}

static void cache_ready(struct supervisor *supervisor, void *context, const char *error)
{
    (void)supervisor;
    if (error[0] != '\0')
        child_failed(context, error);
    else
        child_run(context);
}

static int take_slot(struct supervisor *supervisor, struct child *child, struct error *err)
{
    struct lease *lease;

    if (child->kind == SANDBOX_SPARE && !supervisor->host.late_code)
        return fail(err, ERROR_INTERNAL, "this host has no spares");
    if (child->kind == SANDBOX_WORKER && trees_check(supervisor, child->tree, err) < 0)
        return -1;
    if (!is_of_build(child->kind))
        return slots_take(&supervisor->slots, &child->slot_uid, err);
    if (child->kind == SANDBOX_UNPACK) {
        if (trees_create(supervisor, child->tree, &lease, err) < 0)
            return -1;
    } else {
        lease = trees_lease(supervisor, child->tree);
    }
    if (lease == NULL || lease->busy)
        return fail(err, ERROR_INTERNAL, "build tree %s is not being built", child->tree);
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (supervisor->children[i] != child &&
            text_equals(supervisor->children[i]->tree, child->tree))
            return fail(err, ERROR_INTERNAL, "build tree %s is in use", child->tree);
    child->slot_uid = lease->slot_uid;
    return 0;
}

static int prepare(struct supervisor *supervisor, struct child *child,
                   const struct message_start *start, struct error *err)
{
    if (launch_read(child->fds[FD_LAUNCH], &child->launch, err) < 0 ||
        take_slot(supervisor, child, err) < 0)
        return -1;
    if (supervisor->host.profile != SANDBOX_FULL && trees_tmp_create(supervisor, child, err) < 0)
        return -1;
    if (start->cache[0] == '\0')
        return 0;
    return trees_cache_take(supervisor, child, start->cache, cache_ready, err);
}

void children_start(struct supervisor *supervisor, const struct message_start *start, int *fds,
                    size_t fd_count)
{
    struct child *child;
    struct error err;
    size_t next = 0;

    if (children_find(supervisor, start->worker_id) != NULL ||
        supervisor->child_count >= CHILDREN_MAX || supervisor->phase != SERVING) {
        const struct message_failed message = { .type = MESSAGE_START_FAILED,
                                                .worker_id = start->worker_id,
                                                .error = "not now: the id or every place is taken, "
                                                         "or the daemon stops" };

        api_process_send(supervisor, &message, sizeof(message));
        return;
    }
    child = child_new(supervisor, start);
    for (size_t i = 0; i < LAUNCH_FDS && next < fd_count; i++)
        if ((i != FD_STDIN || (start->flags & START_HAS_STDIN) != 0) &&
            (i != FD_CHANNEL || (start->flags & START_HAS_CHANNEL) != 0))
            child->fds[i] = fd_steal(&fds[next++]);
    if (prepare(supervisor, child, start, &err) < 0)
        child_failed(child, err.message);
    else if (start->cache[0] == '\0')
        child_run(child);
}

/* ---- orders --------------------------------------------------------------------------------- */

static int hand_over(struct supervisor *supervisor, struct child *child,
                     const struct message_hand_over *message, struct error *err)
{
    auto_free char *source = xasprintf("%s/builds/%s", supervisor->data.path, message->tree);

    if (child == NULL || child->state != CHILD_RUNNING)
        return fail(err, ERROR_INTERNAL, "the spare is gone");
    if (child->kind != SANDBOX_SPARE || child->tree[0] != '\0')
        return fail(err, ERROR_INTERNAL, "it is no spare, or it has its code already");
    if (trees_check(supervisor, message->tree, err) < 0 ||
        sandbox_code_grant(&supervisor->host, child->serial, child->slot_uid, source, message->tree,
                           err) < 0)
        return -1;
    child->granted = true;
    snprintf(child->tree, sizeof(child->tree), "%s", message->tree);
    plan_limit(supervisor, SANDBOX_SPARE, message->memory_mb, message->cpus_milli, 0,
               &child->limit);
    sandbox_apply_limit(&supervisor->host, &child->process, child->slot_uid, &child->limit);
    return 0;
}

void children_hand_over(struct supervisor *supervisor, const struct message_hand_over *message)
{
    struct child *child = children_find(supervisor, message->worker_id);
    struct message_failed answer = { .type = MESSAGE_HANDED_OVER, .worker_id = message->worker_id };
    struct error err;

    if (hand_over(supervisor, child, message, &err) < 0)
        snprintf(answer.error, sizeof(answer.error), "%.*s", MESSAGE_TEXT - 1, err.message);
    api_process_send(supervisor, &answer, sizeof(answer));
}

void children_hello(struct supervisor *supervisor, uint64_t worker_id)
{
    struct child *child = children_find(supervisor, worker_id);

    if (child != NULL && child->state == CHILD_RUNNING && child->kind == SANDBOX_WORKER)
        sandbox_apply_limit(&supervisor->host, &child->process, child->slot_uid, &child->limit);
}

void children_kill(struct supervisor *supervisor, uint64_t worker_id)
{
    struct child *child = children_find(supervisor, worker_id);

    if (child != NULL)
        child_end(child, KILL_ASKED);
}

void children_orphan(struct supervisor *supervisor)
{
    /* child_end() may remove a row and put the last one in its place. */
    for (size_t i = supervisor->child_count; i-- > 0;) {
        struct child *child = supervisor->children[i];

        child->orphan = true;
        child_end(child, KILL_ASKED);
    }
}

void children_release(struct supervisor *supervisor)
{
    while (supervisor->child_count > 0) {
        struct child *child = supervisor->children[supervisor->child_count - 1];

        loop_timer_cancel(supervisor->loop, &child->kill_timer);
        child_drop_start(child);
        supervisor->child_count--;
        free(child);
    }
    free(supervisor->children);
    supervisor->children = NULL;
}
