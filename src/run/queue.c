/*
 * Asynchronous executions. A row is committed as waiting before anyone is told of it; here only its
 * number waits, in order for each function and in turn between functions. It is claimed in the
 * store (committed) before it is run, and settled there afterwards, so that nothing runs twice and
 * nothing that was accepted is forgotten.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "headers.h"
#include "internal.h"
#include "log.h"
#include "map.h"
#include "mem.h"

enum {
    RUNNING_MOST = 256,     /* of all functions: synchronous calls keep room */
    CONCURRENT_MOST = 64,   /* of one function whose worker takes many */
    OVERLOADED_US = 200000, /* the function was full: again after this */
    STORE_RETRY_US = 1000000
};

static const char no_deployment[] =
    "The execution could not be completed because a corresponding deployment was not found. A "
    "function deployment needs to be created before it can be executed. Please create a "
    "deployment for your function and try again.";
static const char not_ready[] = "The execution could not be completed because the build is not "
                                "ready. Please wait for the build to complete and try again.";

struct function_queue {
    struct list link; /* queue->turn, while something waits */
    char *key;
    char *project_id, *function_id;
    int64_t *seqs; /* ring */
    size_t first, count, capacity;
    size_t running;
};

struct queue {
    struct run *run;
    struct map functions;
    struct list turn; /* those with something waiting */
    struct list jobs;
    size_t waiting, running;
    struct loop_timer pause_timer;
    atomic_int writing; /* writes whose end has not been reported */
};

struct job {
    struct list link;
    struct queue *queue;
    struct function_queue *functions;
    int64_t seq;
    struct execution execution;
    struct error error;
    bool has_failed;
    struct loop_timer retry_timer;
};

/* ---- what waits ---------------------------------------------------------------------------- */

static void push(struct function_queue *functions, int64_t seq, bool in_front)
{
    if (functions->count == functions->capacity) {
        size_t capacity = functions->capacity == 0 ? 16 : 2 * functions->capacity;
        int64_t *seqs = xmalloc(capacity * sizeof(*seqs));
        for (size_t i = 0; i < functions->count; i++)
            seqs[i] = functions->seqs[(functions->first + i) % functions->capacity];
        free(functions->seqs);
        functions->seqs = seqs;
        functions->capacity = capacity;
        functions->first = 0;
    }
    if (in_front) {
        functions->first = (functions->first + functions->capacity - 1) % functions->capacity;
        functions->seqs[functions->first] = seq;
    } else {
        functions->seqs[(functions->first + functions->count) % functions->capacity] = seq;
    }
    functions->count++;
}

static int64_t pop(struct function_queue *functions)
{
    int64_t seq = functions->seqs[functions->first];
    functions->first = (functions->first + 1) % functions->capacity;
    functions->count--;
    return seq;
}

static void enqueue(struct queue *queue, struct function_queue *functions, int64_t seq,
                    bool in_front)
{
    push(functions, seq, in_front);
    queue->waiting++;
    if (!list_is_linked(&functions->link))
        list_append(&queue->turn, &functions->link);
}

static struct function_queue *queue_of(struct queue *queue, const char *project_id,
                                       const char *function_id)
{
    auto_free char *key = xasprintf("%s/%s", project_id, function_id);
    struct function_queue *functions = map_get(&queue->functions, key);
    if (functions != NULL)
        return functions;
    functions = xcalloc(1, sizeof(*functions));
    functions->key = xstrdup(key);
    functions->project_id = xstrdup(project_id);
    functions->function_id = xstrdup(function_id);
    map_set(&queue->functions, key, functions);
    return functions;
}

static void function_queue_free(struct function_queue *functions)
{
    list_remove(&functions->link);
    free(functions->key);
    free(functions->project_id);
    free(functions->function_id);
    free(functions->seqs);
    free(functions);
}

/* ---- jobs ---------------------------------------------------------------------------------- */

static void job_free(struct job *job)
{
    struct queue *queue = job->queue;
    struct function_queue *functions = job->functions;
    loop_timer_cancel(queue->run->loop, &job->retry_timer);
    list_remove(&job->link);
    execution_release(&job->execution);
    free(job);
    queue->running--;
    if (--functions->running == 0 && functions->count == 0) {
        map_remove(&queue->functions, functions->key);
        function_queue_free(functions);
    }
    queue_pump(queue);
}

static void pause_over(void *context)
{
    queue_pump(context);
}

static void write_later(struct job *job, store_write *write, store_written *done)
{
    atomic_fetch_add(&job->queue->writing, 1);
    store_write_later(job->queue->run->options.store, write, done, job, true);
}

static void report(struct job *job, const struct error *err, loop_task *task)
{
    struct queue *queue = job->queue;
    job->has_failed = err != NULL;
    if (err != NULL)
        job->error = *err;
    loop_post(queue->run->loop, task, job);
    atomic_fetch_sub(&queue->writing, 1);
}

/* ---- the end: the final state -------------------------------------------------------------- */

static int write_finish(struct db *db, void *context, struct error *err)
{
    struct job *job = context;
    return store_execution_finish(db, &job->execution, err);
}

static void finished(void *context)
{
    struct job *job = context;
    if (job->has_failed && job->error.type != ERROR_EXECUTION_NOT_FOUND)
        log_error("execution %s: its end could not be stored: %s", job->execution.id,
                  job->error.message);
    job_free(job);
}

static void finish_written(void *context, const struct error *err)
{
    report(context, err, finished);
}

static void replace(char **text, char *value)
{
    free(*text);
    *text = value;
}

static void settle(struct job *job, const char *status, int64_t response_status, char *errors)
{
    struct execution *execution = &job->execution;
    replace(&execution->status, xstrdup(status));
    replace(&execution->errors, errors);
    if (execution->logs == NULL)
        execution->logs = xstrdup("");
    if (execution->response_headers == NULL)
        execution->response_headers = xstrdup("[]");
    execution->response_status = response_status;
    execution->updated_at = loop_realtime_us(job->queue->run->loop);
    write_later(job, write_finish, finish_written);
}

/* ---- the run ------------------------------------------------------------------------------- */

static char *text_of(struct buffer *buffer)
{
    return buffer->size > 0 ? buffer_steal(buffer, NULL) : xstrdup("");
}

static void run_again(void *context);

static void ran(void *context, struct run_result *result)
{
    static const char *const kept[] = { "content-type", "content-length", NULL };
    struct job *job = context;
    struct execution *execution = &job->execution;
    if (result->outcome == RUN_OVERLOADED) {
        loop_timer_arm(job->queue->run->loop, &job->retry_timer,
                       loop_now_us(job->queue->run->loop) + OVERLOADED_US, run_again, job);
        return;
    }
    bool is_answered = result->outcome == RUN_ANSWERED;
    auto_buffer struct buffer headers;
    buffer_init(&headers, 8 * result->headers.size + 64);
    header_block_to_json(result->headers.data, result->headers.size, kept, &headers);
    replace(&execution->response_headers, buffer_steal(&headers, NULL));
    replace(&execution->logs, text_of(&result->logs));
    execution->duration = (double)result->duration_us / 1000000;

    const struct live_function *function = registry_function(
        job->queue->run->options.registry, execution->project_id, execution->function_id);
    bool is_logged = function == NULL || function->function.logging;
    struct error late;
    fail(&late, ERROR_FUNCTION_ASYNCHRONOUS_TIMEOUT, NULL);
    char *errors = is_answered ? text_of(&result->errors)
                   : is_logged ? run_failure_errors(result, &late)
                               : xstrdup("");
    settle(job, is_answered && result->status < 500 ? "completed" : "failed",
           is_answered ? result->status : 500, errors);
}

struct identity_line {
    const char *name;
    char *value;
};

/* Takes our own lines out of the stored headers: they are made anew, with keys that live from now
 * on. */
static void split_headers(const struct execution *execution, struct buffer *out,
                          struct identity_line *lines, size_t count)
{
    const char *block = execution->input_headers == NULL ? "" : execution->input_headers;
    size_t position = 0;
    struct header_line line;
    bool is_bad = false;
    while (header_block_next(block, strlen(block), &position, &line, &is_bad)) {
        size_t i = 0;
        while (i < count && (strlen(lines[i].name) != line.name_bytes ||
                             strncasecmp(lines[i].name, line.name, line.name_bytes) != 0))
            i++;
        if (i < count) {
            replace(&lines[i].value, xstrndup(line.value, line.value_bytes));
            continue;
        }
        buffer_add(out, line.name, line.name_bytes);
        buffer_add(out, ": ", 2);
        buffer_add(out, line.value, line.value_bytes);
        buffer_add(out, "\r\n", 2);
    }
}

enum {
    LINE_IP,
    LINE_EVENT,
    LINE_JWT,
    LINE_KEY,
    LINE_ID,
    LINE_TRIGGER,
    LINE_USER,
    LINE_COUNTRY,
    LINE_CONTINENT,
    LINE_EU,
    LINES
};

static void make_headers(const struct job *job, const struct live_function *function,
                         struct buffer *out)
{
    struct run *run = job->queue->run;
    const struct execution *execution = &job->execution;
    struct identity_line lines[LINES] = {
        [LINE_IP] = { .name = "x-appwrite-client-ip" },
        [LINE_EVENT] = { .name = "x-appwrite-event" },
        [LINE_JWT] = { .name = "x-appwrite-user-jwt" },
        [LINE_KEY] = { .name = "x-appwrite-key" },
        [LINE_ID] = { .name = "x-appwrite-execution-id" },
        [LINE_TRIGGER] = { .name = "x-appwrite-trigger" },
        [LINE_USER] = { .name = "x-appwrite-user-id" },
        [LINE_COUNTRY] = { .name = "x-appwrite-country-code" },
        [LINE_CONTINENT] = { .name = "x-appwrite-continent-code" },
        [LINE_EU] = { .name = "x-appwrite-continent-eu" },
    };
    split_headers(execution, out, lines, COUNT(lines));

    struct token user = { 0 };
    struct error err;
    /* As of when it was stored: what it says of the user is signed, its time is given anew. */
    bool has_user = lines[LINE_JWT].value != NULL && lines[LINE_JWT].value[0] != '\0' &&
                    token_verify(run->options.signer, TOKEN_USER, lines[LINE_JWT].value, 0, &user,
                                 &err) == 0;
    const struct run_identity identity = {
        .execution_id = execution->id,
        .trigger = execution->trigger,
        .event = lines[LINE_EVENT].value == NULL ? "" : lines[LINE_EVENT].value,
        .user_id = execution->user_id,
        .user = has_user ? &user : NULL,
        .client_ip = lines[LINE_IP].value,
    };
    run_add_identity(run, function, &identity, out);
    if (has_user)
        token_release(&user);
    for (size_t i = 0; i < LINES; i++)
        free(lines[i].value);
}

static void run_job(struct job *job)
{
    struct run *run = job->queue->run;
    struct execution *execution = &job->execution;
    struct live_function *function = registry_function(run->options.registry, execution->project_id,
                                                       execution->function_id);
    if (function == NULL || function->deployment.id[0] == '\0') {
        settle(job, "failed", 0, xstrdup(no_deployment));
        return;
    }
    if (strcmp(function->deployment.status, "ready") != 0) {
        settle(job, "failed", 0, xstrdup(not_ready));
        return;
    }
    replace(&execution->deployment_id, xstrdup(function->deployment.id));
    const struct specification *specification = run_specification(
        function->function.runtime_specification);
    execution->mb_milli = specification->memory_mb * specification->cpus_milli;

    auto_buffer struct buffer headers;
    auto_buffer struct buffer body;
    buffer_init(&headers, (size_t)4 << 20);
    buffer_init(&body, execution->input_body_size);
    make_headers(job, function, &headers);
    if (execution->input_body_size > 0)
        buffer_add(&body, execution->input_body, execution->input_body_size);
    const struct run_request request = {
        .function = function,
        .method = execution->request_method,
        .path = execution->request_path,
        .headers = headers.data,
        .headers_size = headers.size,
        .body = &body,
        .done = ran,
        .context = job,
    };
    run_start(run, &request);
}

static void run_again(void *context)
{
    run_job(context);
}

/* ---- the beginning: the claim -------------------------------------------------------------- */

static int write_claim(struct db *db, void *context, struct error *err)
{
    struct job *job = context;
    return store_execution_claim(db, job->seq, &job->execution, err);
}

static void claimed(void *context)
{
    struct job *job = context;
    struct queue *queue = job->queue;
    if (!job->has_failed) {
        run_job(job);
        return;
    }
    /* Gone or taken is fine: it was deleted. Anything else is the store's trouble and will pass. */
    if (job->error.type != ERROR_EXECUTION_NOT_FOUND) {
        log_error("execution %lld: it could not be claimed: %s", (long long)job->seq,
                  job->error.message);
        enqueue(queue, job->functions, job->seq, true);
        loop_timer_arm(queue->run->loop, &queue->pause_timer,
                       loop_now_us(queue->run->loop) + STORE_RETRY_US, pause_over, queue);
    }
    job_free(job);
}

static void claim_written(void *context, const struct error *err)
{
    report(context, err, claimed);
}

/* While a function has no worker one job is claimed, which gets it one: the others stay waiting,
 * and so are untouched by a crash meanwhile. */
static size_t running_most(const struct queue *queue, const struct function_queue *functions)
{
    const struct run *run = queue->run;
    const struct live_function *function = registry_function(
        run->options.registry, functions->project_id, functions->function_id);
    const struct interpreter *interpreter;
    bool is_exact;
    struct error err;
    if (function == NULL ||
        runtimes_resolve(run->options.runtimes, function->function.runtime,
                         run->settings->runtime_substitute, &interpreter, &is_exact, &err) < 0 ||
        function->pool == NULL || !pool_is_open(function->pool))
        return 1;
    if (interpreter->family->concurrent)
        return CONCURRENT_MOST;
    size_t half = (size_t)run->settings->function_workers / 2;
    size_t ahead = pool_depth(function->pool) / 2; /* while quick */
    size_t most = half > ahead ? half : ahead;
    return most == 0 ? 1 : most;
}

static void start_job(struct queue *queue, struct function_queue *functions)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->queue = queue;
    job->functions = functions;
    job->seq = pop(functions);
    queue->waiting--;
    queue->running++;
    functions->running++;
    list_append(&queue->jobs, &job->link);
    write_later(job, write_claim, claim_written);
}

void queue_pump(struct queue *queue)
{
    struct list full;
    struct list *link;
    if (queue->run->is_stopping || queue->pause_timer.heap_index != 0)
        return;
    list_init(&full);
    while (queue->running < RUNNING_MOST && (link = list_take_first(&queue->turn)) != NULL) {
        struct function_queue *functions = list_member(link, struct function_queue, link);
        bool is_full = functions->running >= running_most(queue, functions);
        if (!is_full)
            start_job(queue, functions);
        if (functions->count > 0)
            list_append(is_full ? &full : &queue->turn, link);
    }
    while ((link = list_take_first(&full)) != NULL)
        list_append(&queue->turn, link);
}

/* ---- from outside -------------------------------------------------------------------------- */

void run_queue_add(struct run *run, int64_t seq, const char *project_id, const char *function_id)
{
    struct queue *queue = run->queue;
    enqueue(queue, queue_of(queue, project_id, function_id), seq, false);
    queue_pump(queue);
}

static void take_waiting(void *context, int64_t seq, const char *project_id,
                         const char *function_id)
{
    struct queue *queue = context;
    enqueue(queue, queue_of(queue, project_id, function_id), seq, false);
}

int run_queue_load(struct run *run, struct db *db, struct error *err)
{
    if (store_execution_each_waiting(db, take_waiting, run->queue, err) < 0)
        return -1;
    queue_pump(run->queue);
    return 0;
}

size_t queue_waiting(const struct queue *queue)
{
    return queue->waiting;
}

size_t queue_running(const struct queue *queue)
{
    return queue->running;
}

struct queue *queue_new(struct run *run)
{
    struct queue *queue = xcalloc(1, sizeof(*queue));
    queue->run = run;
    map_init(&queue->functions);
    list_init(&queue->turn);
    list_init(&queue->jobs);
    return queue;
}

void queue_free(struct queue *queue)
{
    if (queue == NULL)
        return;
    /*
     * The writer may still hold jobs; what it posts for them is never run, as the loop has ended.
     */
    while (atomic_load(&queue->writing) > 0) {
        const struct timespec moment = { .tv_nsec = 1000000 };
        store_flush(queue->run->options.store);
        nanosleep(&moment, NULL);
    }
    struct list *link;
    while ((link = list_take_first(&queue->jobs)) != NULL) {
        struct job *job = list_member(link, struct job, link);
        loop_timer_cancel(queue->run->loop, &job->retry_timer);
        execution_release(&job->execution);
        free(job);
    }
    size_t position = 0;
    const char *key;
    void *value;
    while (map_next(&queue->functions, &position, &key, &value))
        function_queue_free(value);
    loop_timer_cancel(queue->run->loop, &queue->pause_timer);
    map_release(&queue->functions);
    free(queue);
}
