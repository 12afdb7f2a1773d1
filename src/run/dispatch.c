/*
 * A call's life: taken, queued or handed over, watched by one timer, completed exactly once.
 * Everything a warm call needs is pooled; nothing here touches the disk or waits.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "mem.h"

enum { KEEP_BYTES = 65536, HEAD_LIMIT = 4 << 20, HEADERS_LIMIT = 1 << 20 };

/* ---- the struct ---------------------------------------------------------------------------- */

static struct run_call *take_call(struct run *run)
{
    struct list *link = list_take_first(&run->free_calls);
    struct run_call *call = link != NULL ? list_member(link, struct run_call, link)
                                         : xcalloc(1, sizeof(*call));
    size_t log_limit = 2 * (size_t)run->settings->execution_log_bytes + (size_t)2 * OUTPUT_TAIL;
    call->run = run;
    buffer_begin(&call->head, HEAD_LIMIT);
    buffer_begin(&call->answer_head, HEADERS_LIMIT);
    buffer_begin(&call->result.headers, HEADERS_LIMIT + 64);
    buffer_begin(&call->result.body, (size_t)run->settings->request_bytes);
    buffer_begin(&call->result.logs, log_limit);
    buffer_begin(&call->result.errors, log_limit);
    call->pool = NULL;
    call->worker = NULL;
    call->has_answer = false;
    call->body_left = 0;
    call->output_bytes = 0;
    call->log_bytes[0] = call->log_bytes[1] = 0;
    call->started_us = 0;
    call->hard_deadline_us = 0;
    call->result.status = 500;
    call->result.code = 0;
    call->result.message[0] = '\0';
    call->result.duration_us = 0;
    return call;
}

static void release(struct run_call *call)
{
    struct run *run = call->run;
    loop_timer_cancel(run->loop, &call->timer);
    live_function_drop(steal(call->function));
    buffer_release(&call->sender.body);
    buffer_end(&call->head, KEEP_BYTES);
    buffer_end(&call->answer_head, KEEP_BYTES);
    buffer_end(&call->result.headers, KEEP_BYTES);
    buffer_end(&call->result.body, KEEP_BYTES);
    buffer_end(&call->result.logs, KEEP_BYTES);
    buffer_end(&call->result.errors, KEEP_BYTES);
    run->held_bytes -= call->held_bytes;
    call->held_bytes = 0;
    call->state = CALL_FREE;
    if (!call->is_starting)
        list_append(&run->free_calls, &call->link);
}

bool call_hold(struct run_call *call, size_t bytes)
{
    struct run *run = call->run;
    if (bytes > (size_t)run->settings->body_memory_bytes - run->held_bytes ||
        run->held_bytes > (size_t)run->settings->body_memory_bytes)
        return false;
    run->held_bytes += bytes;
    call->held_bytes += bytes;
    return true;
}

/* ---- ends ---------------------------------------------------------------------------------- */

static void tell(struct run_call *call, enum run_outcome outcome)
{
    struct run_result *result = &call->result;
    result->outcome = outcome;
    if (call->started_us > 0)
        result->duration_us = loop_now_us(call->run->loop) - call->started_us;
    answer_finish_logs(call);
    run_done *done = call->done;
    done(call->context, result);
}

static void leave(struct run_call *call)
{
    if (call->state == CALL_RUNNING)
        call->run->running--;
}

void call_complete(struct run_call *call, enum run_outcome outcome)
{
    leave(call);
    call->state = CALL_ABANDONED;
    loop_timer_cancel(call->run->loop, &call->timer);
    tell(call, outcome);
    release(call);
}

void call_complete_abandoned(struct run_call *call)
{
    release(call);
}

void run_call_fail(struct run_call *call, int code, const char *sentence)
{
    snprintf(call->result.message, sizeof(call->result.message), "%s", sentence);
    call->result.code = code;
    call->result.status = 500;
    buffer_reset(&call->result.headers);
    buffer_reset(&call->result.body);
    call_complete(call, RUN_FAILED);
}

void call_time_out(struct run_call *call)
{
    static const char text[] = "Execution timed out.\n";
    call->result.status = 500;
    buffer_reset(&call->result.body);
    buffer_reset(&call->result.headers);
    buffer_add_text(&call->result.headers,
                    "content-type: text/plain; charset=utf-8\r\ncontent-length: 0\r\n");
    answer_take_log(call, 1, text, sizeof(text) - 1);
    call_complete(call, RUN_ANSWERED);
}

static void arm_timer(struct run_call *call);

/* The handle ends here; the struct stays with its worker until the answer is read or the worker
 * ends. */
static void cut_loose(struct run_call *call)
{
    leave(call);
    call->state = CALL_ABANDONED;
    arm_timer(call);
}

void call_abandon(struct run_call *call, enum run_outcome outcome, const char *sentence)
{
    if (sentence != NULL)
        snprintf(call->result.message, sizeof(call->result.message), "%s", sentence);
    call->result.code = sentence != NULL ? 500 : 0;
    call->result.status = 500;
    buffer_reset(&call->result.headers);
    buffer_reset(&call->result.body);
    cut_loose(call);
    tell(call, outcome);
    buffer_release(&call->result.body);
    buffer_release(&call->result.logs);
    buffer_release(&call->result.errors);
    call->run->held_bytes -= call->held_bytes;
    call->held_bytes = 0;
}

static void send_cancel(struct run_call *call)
{
    channel_sender_release(&call->sender);
    channel_send(&call->worker->channel, FRAME_CANCEL, call->request_id, NULL, 0);
}

/* ---- time ---------------------------------------------------------------------------------- */

static void too_late(void *context)
{
    struct run_call *call = context;
    int64_t now_us = loop_now_us(call->run->loop);
    if (call->state == CALL_WAITING) {
        pool_withdraw(call->pool, call);
        call_complete(call, RUN_TIMED_OUT);
    } else if (call->hard_deadline_us > 0 && call->hard_deadline_us <= now_us) {
        worker_break(call->worker,
                     "The worker was ended: another request in it did not return in time.");
    } else if (call->state == CALL_RUNNING) {
        send_cancel(call);
        call_abandon(call, RUN_TIMED_OUT, NULL);
    }
}

static void arm_timer(struct run_call *call)
{
    int64_t due_us = call->state == CALL_ABANDONED ? 0 : call->deadline_us;
    if (call->hard_deadline_us > 0 && (due_us == 0 || call->hard_deadline_us < due_us))
        due_us = call->hard_deadline_us;
    if (due_us > 0)
        loop_timer_arm(call->run->loop, &call->timer, due_us, too_late, call);
    else
        loop_timer_cancel(call->run->loop, &call->timer);
}

void call_arm(struct run_call *call)
{
    const struct run *run = call->run;
    int64_t now_us = loop_now_us(run->loop);
    const struct worker *worker = call->worker;
    call->started_us = now_us;
    if (!worker->has_served)
        call->started_us = call->queued_us > worker->start_us ? call->queued_us : worker->start_us;
    if (call->function->function.timeout > 0)
        call->hard_deadline_us = now_us + call->function->function.timeout * 1000000 +
                                 run->settings->worker_grace_ms * 1000;
    arm_timer(call);
}

/* ---- beginnings ---------------------------------------------------------------------------- */

void call_begin(struct run_call *call, struct worker *worker, uint32_t request_id)
{
    call->state = CALL_RUNNING;
    call->worker = worker;
    call->request_id = request_id;
    call->run->running++;
    frame_put32(call->head.data, (uint32_t)(call->function->function.timeout * 1000));
    call->head.data[4] = call->function->function.logging ? 1 : 0;
    channel_send_request(&worker->channel, request_id, call->head.data, call->head.size,
                         &call->sender);
    if (!worker_is_serial(worker) || list_first(&worker->calls) == &call->link)
        call_arm(call);
    else
        arm_timer(call);
    worker->has_served = true;
}

/* The REQUEST up to its body; timeout and the log flag are filled in at hand-over. */
static int encode(struct run_call *call, const struct run_request *request)
{
    const char *path = request->path == NULL || request->path[0] == '\0' ? "/" : request->path;
    size_t method_size = strlen(request->method);
    size_t path_size = strlen(path);
    size_t body_size = request->body == NULL ? 0 : request->body->size;
    if (method_size > UINT8_MAX || path_size > UINT32_MAX || request->headers_size > UINT32_MAX)
        return -1;
    char fixed[REQUEST_HEAD] = { 0 };
    fixed[5] = (char)method_size;
    frame_put32(fixed + 8, (uint32_t)path_size);
    frame_put32(fixed + 12, (uint32_t)request->headers_size);
    frame_put64(fixed + 16, body_size);
    struct buffer *head = &call->head;
    buffer_reserve(head, sizeof(fixed) + method_size + path_size + request->headers_size);
    buffer_add(head, fixed, sizeof(fixed));
    buffer_add(head, request->method, method_size);
    buffer_add(head, path, path_size);
    if (request->headers_size > 0)
        buffer_add(head, request->headers, request->headers_size);
    return head->overflowed ? -1 : 0;
}

static void take_body(struct run_call *call, struct buffer *body)
{
    if (body == NULL)
        return;
    if (body->size == 0) { /* it may hold memory all the same */
        buffer_release(body);
        return;
    }
    call->sender.body = *body;
    *body = (struct buffer){ 0 };
}

static void submit(struct run_call *call, const struct run_request *request)
{
    struct error err;
    struct pool *pool;
    size_t body_size = request->body == NULL ? 0 : request->body->size;
    if (encode(call, request) < 0) {
        if (request->body != NULL)
            buffer_release(request->body);
        run_call_fail(call, 400, "The request's method, path or headers are too long.");
        return;
    }
    take_body(call, request->body);
    if (pool_of(call->run, call->function, &pool, &err) < 0)
        run_call_fail(call, error_rows[err.type].code, err.message);
    else if ((body_size > 0 && !call_hold(call, body_size)) || pool_put(pool, call) < 0)
        call_complete(call, RUN_OVERLOADED);
}

struct run_call *run_start(struct run *run, const struct run_request *request)
{
    struct run_call *call = take_call(run);
    call->state = CALL_WAITING;
    call->is_starting = true;
    call->function = request->function;
    live_function_keep(call->function);
    call->from_inside = request->caller_function_id != NULL;
    call->deadline_us = request->deadline_us;
    call->queued_us = loop_now_us(run->loop);
    call->done = request->done;
    call->context = request->context;

    submit(call, request);
    call->is_starting = false;
    if (call->state == CALL_FREE) {
        list_append(&run->free_calls, &call->link);
        return NULL;
    }
    if (call->state == CALL_WAITING)
        arm_timer(call);
    return call;
}

void run_cancel(struct run *run, struct run_call *call)
{
    (void)run;
    if (call->state == CALL_WAITING) {
        pool_withdraw(call->pool, call);
        release(call);
    } else if (call->state == CALL_RUNNING) {
        send_cancel(call);
        cut_loose(call);
    }
}
