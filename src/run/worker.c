/*
 * One worker: its state machine and its channel. Which worker serves what is the pool's business;
 * what an answer means is answer.c's.
 *
 *   STARTING --hello--> READY --assign--> BUSY --done--> READY
 *      |                  | idle, stop      | stop
 *      | hello, no pool   v                 v
 *      v               STOPPING <--done-- DRAINING
 *   BOOTED --hand over--> LOADING --handed over--> READY
 *
 *   any --broken, too late--> KILLED --exit--> gone       any --channel closed--> CLOSED --exit-->
 * gone
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fd.h"
#include "internal.h"
#include "log.h"
#include "mem.h"

enum {
    STOP_GRACE_US = 1000000,  /* from STOP to KILL */
    CLOSED_GRACE_US = 500000, /* from the end of the channel to KILL */
    LOST_US = 15000000,       /* from KILL until the worker counts as gone without a report */
    HAND_OVER_US = 5000000,
    SLOTS_MAX = 65534
};

static const char *const state_names[WORKER_STATES] = {
    [WORKER_STARTING] = "starting", [WORKER_BOOTED] = "booted", [WORKER_LOADING] = "loading",
    [WORKER_READY] = "ready",       [WORKER_BUSY] = "busy",     [WORKER_DRAINING] = "draining",
    [WORKER_STOPPING] = "stopping", [WORKER_CLOSED] = "closed", [WORKER_KILLED] = "killed",
};

static const char *const event_names[WORKER_EVENTS] = {
    [EVENT_HELLO] = "hello",   [EVENT_HAND_OVER] = "hand over", [EVENT_HANDED_OVER] = "handed over",
    [EVENT_ASSIGN] = "assign", [EVENT_DONE] = "done",           [EVENT_STOP] = "stop",
    [EVENT_TIMER] = "timer",   [EVENT_BROKEN] = "broken",       [EVENT_CLOSED] = "closed",
    [EVENT_EXIT] = "exit",
};

static void timer_fired(void *context)
{
    worker_event(context, EVENT_TIMER);
}

/* The only place where a state changes. limit_us 0: the new state lasts as long as it lasts. */
static void become(struct worker *worker, enum worker_state state, int64_t limit_us)
{
    bool was_idle = worker->state == WORKER_READY;
    bool is_idle = state == WORKER_READY;
    if (worker->state != state && !(was_idle && state == WORKER_BUSY) &&
        !(is_idle && worker->state == WORKER_BUSY))
        log_debug("worker %llu: %s -> %s", (unsigned long long)(worker->child.id >> 16),
                  state_names[worker->state], state_names[state]);
    worker->state = state;
    if (was_idle && !is_idle)
        list_remove(&worker->idle_link);
    if (is_idle && !was_idle)
        list_append(&worker->run->idle, &worker->idle_link);
    if (limit_us > 0)
        loop_timer_arm(worker->run->loop, &worker->timer, loop_now_us(worker->run->loop) + limit_us,
                       timer_fired, worker);
    else
        loop_timer_cancel(worker->run->loop, &worker->timer);
}

static int64_t idle_us(const struct worker *worker)
{
    return worker->run->settings->worker_idle_seconds * 1000000;
}

/* ---- steps --------------------------------------------------------------------------------- */

typedef void worker_step(struct worker *worker);

static void load(struct worker *worker)
{
    struct buffer payload;
    buffer_init(&payload, (size_t)64 << 20);
    environment_load(worker->run, worker->pool, &payload);
    channel_send(&worker->channel, FRAME_LOAD, 0, payload.data, payload.size);
    buffer_release(&payload);
    worker->was_loaded = true;
    become(worker, WORKER_READY, idle_us(worker));
    pool_worker_ready(worker->pool, worker);
    queue_pump(worker->run->queue);
}

static void greet(struct worker *worker)
{
    worker->said_hello = true;
    link_send_worker(&worker->run->link, MESSAGE_HELLO_SEEN, worker->child.id);
    if (worker->pool != NULL) {
        load(worker);
        return;
    }
    worker->spares->failures = 0;
    become(worker, WORKER_BOOTED, 0);
    pools_use_room(worker->run);
}

static void await_hand_over(struct worker *worker)
{
    become(worker, WORKER_LOADING, HAND_OVER_US);
}

static void begin(struct worker *worker)
{
    become(worker, WORKER_BUSY, 0);
}

static void finish(struct worker *worker)
{
    if (worker->in_flight == 0)
        become(worker, WORKER_READY, idle_us(worker));
    pool_worker_ready(worker->pool, worker);
}

static void tell_stop(struct worker *worker)
{
    channel_send(&worker->channel, FRAME_STOP, 0, NULL, 0);
    become(worker, WORKER_STOPPING, STOP_GRACE_US);
}

static void drain(struct worker *worker)
{
    become(worker, WORKER_DRAINING, 0);
}

static void finish_draining(struct worker *worker)
{
    if (worker->in_flight == 0)
        tell_stop(worker);
}

static void kill_it(struct worker *worker)
{
    become(worker, WORKER_KILLED, LOST_US);
    link_send_worker(&worker->run->link, MESSAGE_KILL, worker->child.id);
    channel_close(&worker->channel);
    if (worker->sentence[0] != '\0')
        worker_fail_calls(worker, worker->sentence, NULL);
}

static void start_too_late(struct worker *worker)
{
    snprintf(worker->sentence, sizeof(worker->sentence),
             "The worker did not become ready in time.");
    kill_it(worker);
}

static void await_exit(struct worker *worker)
{
    become(worker, WORKER_CLOSED, CLOSED_GRACE_US);
    channel_close(&worker->channel);
}

static void closed_but_alive(struct worker *worker)
{
    snprintf(worker->sentence, sizeof(worker->sentence),
             "The worker closed its channel before it answered.");
    kill_it(worker);
}

static void bury_lost(struct worker *worker)
{
    log_warning("worker %llu: no report of its end, given up",
                (unsigned long long)(worker->child.id >> 16));
    worker_bury(worker, "The worker ended.");
}

static void ignore(struct worker *worker)
{
    (void)worker;
}

/* EVENT_EXIT has no cell: it ends the machine in every state (worker_end.c). */
static worker_step *const steps[WORKER_STATES][WORKER_EVENTS] = {
    [WORKER_STARTING] = { [EVENT_HELLO] = greet,
                          [EVENT_STOP] = kill_it,
                          [EVENT_TIMER] = start_too_late,
                          [EVENT_BROKEN] = kill_it,
                          [EVENT_CLOSED] = await_exit },
    [WORKER_BOOTED] = { [EVENT_HAND_OVER] = await_hand_over,
                        [EVENT_STOP] = tell_stop,
                        [EVENT_BROKEN] = kill_it,
                        [EVENT_CLOSED] = await_exit },
    [WORKER_LOADING] = { [EVENT_HANDED_OVER] = load,
                         [EVENT_STOP] = kill_it,
                         [EVENT_TIMER] = start_too_late,
                         [EVENT_BROKEN] = kill_it,
                         [EVENT_CLOSED] = await_exit },
    [WORKER_READY] = { [EVENT_ASSIGN] = begin,
                       [EVENT_STOP] = tell_stop,
                       [EVENT_TIMER] = tell_stop,
                       [EVENT_BROKEN] = kill_it,
                       [EVENT_CLOSED] = await_exit },
    [WORKER_BUSY] = { [EVENT_ASSIGN] = begin,
                      [EVENT_DONE] = finish,
                      [EVENT_STOP] = drain,
                      [EVENT_BROKEN] = kill_it,
                      [EVENT_CLOSED] = await_exit },
    [WORKER_DRAINING] = { [EVENT_DONE] = finish_draining,
                          [EVENT_STOP] = ignore,
                          [EVENT_BROKEN] = kill_it,
                          [EVENT_CLOSED] = await_exit },
    [WORKER_STOPPING] = { [EVENT_STOP] = ignore,
                          [EVENT_TIMER] = kill_it,
                          [EVENT_BROKEN] = kill_it,
                          [EVENT_CLOSED] = ignore },
    [WORKER_CLOSED] = { [EVENT_STOP] = ignore,
                        [EVENT_TIMER] = closed_but_alive,
                        [EVENT_BROKEN] = kill_it },
    [WORKER_KILLED] = { [EVENT_STOP] = ignore,
                        [EVENT_TIMER] = bury_lost,
                        [EVENT_BROKEN] = ignore,
                        [EVENT_HANDED_OVER] = ignore },
};

void worker_event(struct worker *worker, enum worker_event event)
{
    worker_step *step = steps[worker->state][event];
    if (step != NULL)
        step(worker);
    else
        log_error("worker %llu: %s while %s, ignored", (unsigned long long)(worker->child.id >> 16),
                  event_names[event], state_names[worker->state]);
}

void worker_break(struct worker *worker, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (worker->sentence[0] == '\0')
        vsnprintf(worker->sentence, sizeof(worker->sentence), format, arguments);
    va_end(arguments);
    worker_event(worker, EVENT_BROKEN);
}

/* ---- requests in flight -------------------------------------------------------------------- */

bool worker_is_serial(const struct worker *worker)
{
    return !worker->interpreter->family->concurrent;
}

bool worker_has_room(const struct worker *worker)
{
    return (worker->state == WORKER_READY || worker->state == WORKER_BUSY) &&
           worker->in_flight < pool_depth(worker->pool) &&
           channel_unsent(&worker->channel) < (size_t)16 << 20;
}

static uint16_t take_slot(struct worker *worker)
{
    if (worker->first_free == 0) {
        size_t count = worker->slot_count == 0 ? 8 : worker->slot_count * 2;
        if (count > SLOTS_MAX)
            count = SLOTS_MAX;
        worker->slots = xrealloc(worker->slots, count * sizeof(*worker->slots));
        for (size_t i = count; i-- > worker->slot_count;) {
            worker->slots[i] = (struct worker_slot){ .next_free = worker->first_free };
            worker->first_free = (uint16_t)(i + 1);
        }
        worker->slot_count = count;
    }
    uint16_t number = worker->first_free;
    worker->first_free = worker->slots[number - 1].next_free;
    return number;
}

void worker_assign(struct worker *worker, struct run_call *call)
{
    uint16_t number = take_slot(worker);
    struct worker_slot *slot = &worker->slots[number - 1];
    slot->call = call;
    slot->generation++;
    list_append(&worker->calls, &call->link);
    worker->in_flight++;
    worker_event(worker, EVENT_ASSIGN);
    call_begin(call, worker, (uint32_t)slot->generation << 16 | number);
}

/* Takes the call out of the table. The caller completes it and then reports EVENT_DONE. */
static void worker_release_call(struct worker *worker, struct run_call *call)
{
    uint16_t number = (uint16_t)(call->request_id & 0xffff);
    struct worker_slot *slot = &worker->slots[number - 1];
    bool was_first = list_first(&worker->calls) == &call->link;
    slot->call = NULL;
    slot->next_free = worker->first_free;
    worker->first_free = number;
    list_remove(&call->link);
    channel_sender_release(&call->sender);
    call->worker = NULL;
    worker->in_flight--;

    /* The next one of a serial worker starts now, so its time does. */
    struct list *next = list_first(&worker->calls);
    if (next != NULL && was_first && worker_is_serial(worker))
        call_arm(list_member(next, struct run_call, link));
}

static struct run_call *find_call(const struct worker *worker, uint32_t request_id)
{
    size_t number = request_id & 0xffff;
    if (number == 0 || number > worker->slot_count)
        return NULL;
    const struct worker_slot *slot = &worker->slots[number - 1];
    return slot->call != NULL && slot->generation == request_id >> 16 ? slot->call : NULL;
}

/* ---- frames -------------------------------------------------------------------------------- */

static int take_hello(struct worker *worker, const struct frame *frame, const char **ret_sentence)
{
    *ret_sentence = "said hello in a wrong way";
    if (worker->state != WORKER_STARTING || worker->said_hello || frame->request_id != 0 ||
        frame->flags != 0 || frame->size < 4 || frame->size > 256 ||
        frame_get32(frame->payload) != FRAME_PROTOCOL)
        return -1;
    worker_event(worker, EVENT_HELLO);
    return 0;
}

/* The first answer also took the loading of the code: it says nothing about the next. */
static void learn_service_time(struct worker *worker, const struct run_call *call)
{
    struct pool *pool = worker->pool;
    int64_t took_us = loop_now_us(worker->run->loop) - call->started_us;
    if (worker->has_answered && worker_is_serial(worker))
        pool->service_us = pool->service_us == 0 ? took_us + 1
                                                 : (7 * pool->service_us + took_us) / 8 + 1;
    worker->has_answered = true;
}

static void finish_call(struct worker *worker, struct run_call *call)
{
    learn_service_time(worker, call);
    worker->outputs[0].since_answer = worker->outputs[1].since_answer = 0;
    worker_release_call(worker, call);
    if (call->state == CALL_ABANDONED)
        call_complete_abandoned(call);
    else
        call_complete(call, RUN_ANSWERED);
    worker_event(worker, EVENT_DONE);
}

static int take_answer(struct worker *worker, struct run_call *call, const struct frame *frame,
                       const char **ret_sentence)
{
    bool is_done = false;
    int result = frame->type == FRAME_ANSWER
                     ? answer_take_head(call, frame, &is_done, ret_sentence)
                     : answer_take_body(call, frame, &is_done, ret_sentence);
    if (result == 0 && is_done)
        finish_call(worker, call);
    return result;
}

static int take_log(struct worker *worker, struct run_call *call, const struct frame *frame,
                    const char **ret_sentence)
{
    if (call->has_answer) {
        *ret_sentence = "logged after its answer";
        return -1;
    }
    call->output_bytes += frame->size;
    if (call->output_bytes > OUTPUT_LIMIT) {
        *ret_sentence = "logged more than 256 MB for one request";
        return -1;
    }
    (void)worker;
    answer_take_log(call, frame->type == FRAME_ERROR, frame->payload, frame->size);
    return 0;
}

static int take_frame(void *context, const struct frame *frame, const char **ret_sentence)
{
    struct worker *worker = context;
    if (frame->type == FRAME_HELLO)
        return take_hello(worker, frame, ret_sentence);
    if (frame->type < FRAME_ANSWER || frame->type > FRAME_ERROR) {
        *ret_sentence = "sent a frame of an unknown type";
        return -1;
    }
    struct run_call *call = find_call(worker, frame->request_id);
    if (call == NULL) {
        *ret_sentence = "spoke of a request it does not have";
        return -1;
    }
    if (frame->type == FRAME_LOG || frame->type == FRAME_ERROR)
        return take_log(worker, call, frame, ret_sentence);
    return take_answer(worker, call, frame, ret_sentence);
}

static void channel_broken(void *context, const char *sentence)
{
    struct worker *worker = context;
    if (sentence == NULL) {
        worker_event(worker, EVENT_CLOSED);
        return;
    }
    log_warning("worker %llu of %s: %s", (unsigned long long)(worker->child.id >> 16),
                worker->pool != NULL ? worker->pool->function->function.id : "nothing yet",
                sentence);
    worker->run->worker_failures++;
    worker_break(worker, "The worker broke the protocol: it %s.", sentence);
}

static void channel_dirty(void *context)
{
    struct worker *worker = context;
    list_append(&worker->run->dirty, &worker->dirty_link);
}

static const struct channel_handlers channel_handlers = { .frame = take_frame,
                                                          .broken = channel_broken,
                                                          .dirty = channel_dirty };

/* ---- life ---------------------------------------------------------------------------------- */

static void flooded(void *context)
{
    struct worker *worker = context;
    worker_break(worker, "The function wrote more than 256 MB of native output.");
}

static int open_ends(struct worker *worker, int ret_theirs[3], struct error *err)
{
    struct run *run = worker->run;
    int pair[2] = { -1, -1 };
    if (fd_socketpair(SOCK_STREAM, pair, err) < 0)
        return -1;
    ret_theirs[2] = pair[1];
    if (fd_set_blocking(pair[0], false) < 0) {
        fd_close(&pair[0]);
        return fail_errno(err, "channel");
    }
    if (channel_open(&worker->channel, run->loop, pair[0], run->scratch, &channel_handlers, worker,
                     err) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        int ours = -1;
        if (fd_pipe(&ours, &ret_theirs[i], err) < 0)
            return -1;
        if (output_open(&worker->outputs[i], run->loop, ours, run->scratch, FRAME_PAYLOAD, flooded,
                        worker, err) < 0)
            return -1;
    }
    return 0;
}

static int send_start(struct worker *worker, const int theirs[3], struct error *err)
{
    struct run *run = worker->run;
    struct message_start message = {
        .type = MESSAGE_START,
        .flags = START_HAS_CHANNEL,
        .kind = worker->pool != NULL ? SANDBOX_WORKER : SANDBOX_SPARE,
        .network = run->network,
        .memory_mb = worker->memory_mb,
        .cpus_milli = worker->cpus_milli,
    };
    struct buffer launch;
    buffer_init(&launch, (size_t)64 << 20);
    if (worker->pool != NULL) {
        snprintf(message.tree, sizeof(message.tree), "%s", worker->pool->function->deployment.id);
        environment_launch(worker->pool, &launch);
    } else {
        buffer_add(&launch, worker->spares->launch.data, worker->spares->launch.size);
    }
    int result = link_start(&run->link, &worker->child, &worker_child_events, &message, &launch,
                            theirs, 3, err);
    buffer_release(&launch);
    return result;
}

struct worker *worker_start(struct run *run, struct pool *pool, struct spare_set *spares,
                            struct error *err)
{
    struct worker *worker = xcalloc(1, sizeof(*worker));
    *worker = (struct worker){
        .run = run, .pool = pool, .spares = spares, .start_us = loop_now_us(run->loop)
    };
    worker->channel.fd = worker->outputs[0].fd = worker->outputs[1].fd = -1;
    list_init(&worker->channel.senders);
    list_init(&worker->calls);
    worker->interpreter = pool != NULL ? pool->interpreter : spares->interpreter;
    worker->memory_mb = pool != NULL ? pool->memory_mb : spares->memory_mb;
    worker->cpus_milli = pool != NULL ? pool->cpus_milli : spares->cpus_milli;

    int theirs[3] = { -1, -1, -1 }; /* stdout, stderr, channel */
    int result = open_ends(worker, theirs, err);
    if (result == 0)
        result = send_start(worker, theirs, err);
    for (int i = 0; i < 3; i++)
        fd_close(&theirs[i]);
    if (result < 0) {
        worker_free(worker);
        return NULL;
    }
    list_append(&run->workers, &worker->link);
    run_count_worker(worker, pool != NULL ? pool->memory_mb : SPARE_MEMORY_MB);
    run->worker_count++;
    become(worker, WORKER_STARTING, run->settings->worker_start_seconds * 1000000);
    return worker;
}

void worker_give(struct worker *worker, struct pool *pool)
{
    struct message_hand_over message = {
        .type = MESSAGE_HAND_OVER,
        .worker_id = worker->child.id,
        .memory_mb = pool->memory_mb,
        .cpus_milli = pool->cpus_milli,
    };
    snprintf(message.tree, sizeof(message.tree), "%s", pool->function->deployment.id);
    worker->pool = pool;
    worker->spares = NULL;
    worker->was_spare = true;
    worker->memory_mb = pool->memory_mb;
    worker->cpus_milli = pool->cpus_milli;
    worker->start_us = loop_now_us(worker->run->loop);
    run_count_worker(worker, pool->memory_mb);
    worker_event(worker, EVENT_HAND_OVER);
    link_send(&worker->run->link, &message, sizeof(message));
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    loop_timer_cancel(worker->run->loop, &worker->timer);
    channel_close(&worker->channel);
    output_release(&worker->outputs[0]);
    output_release(&worker->outputs[1]);
    list_remove(&worker->link);
    list_remove(&worker->idle_link);
    list_remove(&worker->dirty_link);
    free(worker->slots);
    free(worker);
}
