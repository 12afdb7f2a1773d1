/* How a worker ended: what the supervisor reports, the sentence made of it, and what its requests
 * are told. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "log.h"

enum { SENTENCE = 512 };

static const char *signal_text(int number)
{
    const char *name = sigabbrev_np(number);
    return name == NULL ? "?" : name;
}

/* Ends that runtimes choose when memory is refused to them, told from other crashes by what they
 * wrote last. */
static bool ended_for_memory(const struct message_exited *message, const char *tail)
{
    if (message->reason == EXIT_MEMORY)
        return true;
    if (message->reason == EXIT_SIGNAL)
        return (message->status == SIGABRT || message->status == SIGTRAP ||
                message->status == SIGSEGV || message->status == SIGILL) &&
               output_tells_memory(tail);
    return message->reason == EXIT_STATUS && message->status != 0 && output_tells_memory(tail);
}

static void describe(const struct message_exited *message, const char *tail, char *ret_text)
{
    if (ended_for_memory(message, tail)) {
        snprintf(ret_text, SENTENCE, "The function was ended: memory limit of %u MB exceeded.",
                 message->memory_mb);
        return;
    }
    switch ((enum exit_reason)message->reason) {
    case EXIT_STATUS:
        snprintf(ret_text, SENTENCE,
                 "The function's process exited with status %d before it answered.",
                 message->status);
        return;
    case EXIT_SIGNAL:
        snprintf(ret_text, SENTENCE,
                 "The function's process was ended by signal %d (SIG%s) before it answered.",
                 message->status, signal_text(message->status));
        return;
    case EXIT_TMP:
        snprintf(ret_text, SENTENCE,
                 "The function was ended: it filled more than its temporary directory may hold.");
        return;
    case EXIT_PROCESSES:
        snprintf(ret_text, SENTENCE,
                 "The function was ended: it ran more than the %u processes and threads that its "
                 "runtimeSpecification allows at once.",
                 message->processes);
        return;
    case EXIT_MEMORY:
        break;
    }
    snprintf(ret_text, SENTENCE, "The function's process ended before it answered.");
}

void worker_fail_calls(struct worker *worker, const char *sentence, const char *errors)
{
    int64_t now_us = loop_now_us(worker->run->loop);
    struct list *link;
    while ((link = list_first(&worker->calls)) != NULL) {
        struct run_call *call = list_member(link, struct run_call, link);
        /* Not worker_release_call: nothing may start in a worker that is ending. */
        list_remove(&call->link);
        channel_sender_release(&call->sender);
        call->worker = NULL;
        worker->in_flight--;
        worker->slots[(call->request_id & 0xffff) - 1].call = NULL;
        if (call->state == CALL_ABANDONED) {
            call_complete_abandoned(call);
        } else if (call->hard_deadline_us > 0 && call->hard_deadline_us <= now_us) {
            call_time_out(call);
        } else {
            if (errors != NULL)
                answer_take_log(call, 1, errors, strlen(errors));
            run_call_fail(call, 500, sentence);
        }
    }
}

void worker_bury(struct worker *worker, const char *sentence)
{
    struct run *run = worker->run;
    struct pool *pool = worker->pool;
    loop_timer_cancel(run->loop, &worker->timer);
    list_remove(&worker->link);
    list_remove(&worker->idle_link);
    link_forget(&run->link, &worker->child);
    run->worker_count--;
    run_count_worker(worker, 0);
    if (pool != NULL)
        pool_worker_gone(pool, worker, sentence);
    else
        spare_gone(worker, sentence);
    worker_free(worker);
    pools_use_room(run);
}

static struct worker *worker_of(struct child *child)
{
    return list_member(child, struct worker, child);
}

static void start_failed(struct child *child, const char *sentence)
{
    struct worker *worker = worker_of(child);
    char text[SENTENCE];
    worker->run->worker_failures++;
    snprintf(text, sizeof(text), "The worker could not be started: %.400s", sentence);
    log_error("worker %llu: %s", (unsigned long long)(child->id >> 16), text);
    worker_bury(worker, text);
}

static void handed_over(struct child *child, const char *sentence)
{
    struct worker *worker = worker_of(child);
    if (sentence[0] == '\0') {
        worker_event(worker, EVENT_HANDED_OVER);
        return;
    }
    log_warning("worker %llu: hand-over: %s", (unsigned long long)(child->id >> 16), sentence);
    if (worker->pool != NULL)
        worker->pool->avoids_spares = true;
    worker_break(worker, "The worker could not be given its code: %.200s", sentence);
}

static void exited(struct child *child, const struct message_exited *message)
{
    struct worker *worker = worker_of(child);
    /* What it said before its end still counts. */
    channel_drain(&worker->channel);
    output_drain(&worker->outputs[0]);
    output_drain(&worker->outputs[1]);

    char tail[OUTPUT_TAIL + 1];
    struct buffer text;
    buffer_init(&text, OUTPUT_TAIL);
    output_tail(&worker->outputs[1], &text);
    snprintf(tail, sizeof(tail), "%s", text.data == NULL ? "" : text.data);
    buffer_release(&text);

    char sentence[SENTENCE];
    describe(message, tail, sentence);
    bool was_killed = worker->sentence[0] != '\0';
    bool was_expected = worker->state == WORKER_STOPPING || worker->state == WORKER_KILLED;
    if (!was_expected || worker->in_flight > 0) {
        worker->run->worker_failures++;
        log_warning("worker %llu of %s: %s", (unsigned long long)(child->id >> 16),
                    worker->pool != NULL ? worker->pool->function->function.id : "nothing yet",
                    was_killed ? worker->sentence : sentence);
    }
    bool for_memory = ended_for_memory(message, tail);
    const char *told = was_killed && !for_memory ? worker->sentence : sentence;
    worker_fail_calls(worker, told, tail[0] != '\0' && !was_killed ? tail : NULL);

    char kept[SENTENCE];
    snprintf(kept, sizeof(kept), "%s", told);
    if (!worker->was_loaded && !was_killed && tail[0] != '\0')
        snprintf(kept, sizeof(kept), "%.200s %.250s", told, tail);
    worker_bury(worker, kept);
}

const struct child_events worker_child_events = { .start_failed = start_failed,
                                                  .handed_over = handed_over,
                                                  .exited = exited };
