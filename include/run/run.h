/*
 * Running executions: from a request to a worker and back, on the loop thread. Knows nothing of HTTP documents.
 */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "loop.h"
#include "registry.h"
#include "runtimes.h"
#include "settings.h"
#include "token.h"

struct run;
struct run_call;

struct run_options {
    struct loop *loop;
    const struct settings *settings;
    struct store *store;
    struct registry *registry;
    const struct runtimes *runtimes;
    const struct token_signer *signer;
    int supervisor_fd;              /* SOCK_SEQPACKET to the supervisor; the run room owns it from now on */
    const char *api_endpoint;       /* http://host:port/v1, for APPWRITE_FUNCTION_API_ENDPOINT */
    void *context;
    void (*on_stop)(void *context, bool now);       /* the supervisor asks the api to stop */
    void (*on_supervisor_lost)(void *context);
};

/* Waits for the supervisor's WELCOME (at most 10 s), starts the spares. */
int run_new(const struct run_options *options, struct run **ret_run, struct error *err);
void run_free(struct run *run);

/* The host report (JSON) the supervisor sent. */
const char *run_host_report(const struct run *run);

enum run_outcome {
    RUN_ANSWERED,                   /* status, headers, body, logs, errors are the function's (also its 500s) */
    RUN_TIMED_OUT,                  /* the deadline passed first; the worker may still be busy with it */
    RUN_FAILED,                     /* worker died, could not start, broke the protocol: sentence in message */
    RUN_OVERLOADED,                 /* queue full, or no worker possible for a call from inside */
    RUN_CANCELED
};

struct run_result {
    enum run_outcome outcome;
    unsigned status;                /* 500 when the function gave none */
    struct buffer headers;          /* header block of the function, x-open-runtimes-* dropped */
    struct buffer body;
    struct buffer logs, errors;     /* cut to execution_log_bytes: the end is kept with the API's warning line in front */
    int64_t duration_us;            /* from hand-over to a worker (or from its start) to the answer */
    char message[512];              /* RUN_FAILED */
    int code;                       /* RUN_FAILED: the code shown behind the message */
};

/* The result is borrowed for the call; buffers may be stolen from it. Called exactly once, on the loop thread. */
typedef void run_done(void *context, struct run_result *result);

struct run_request {
    struct live_function *function; /* with an active, ready deployment; kept until done */
    const char *method;
    const char *path;               /* with query; "/" if empty */
    const char *headers;            /* header block, complete (x-appwrite-* included) */
    size_t headers_size;
    struct buffer *body;            /* taken over; NULL: empty */
    int64_t deadline_us;            /* monotonic; after it RUN_TIMED_OUT (408 for synchronous calls) */
    const char *caller_function_id; /* the call came from inside this function (per-execution key), or NULL */
    run_done *done;
    void *context;
};

/* Copies what it needs. done may be called before run_call returns NULL; otherwise the handle is valid until done. */
struct run_call *run_start(struct run *run, const struct run_request *request);
void run_cancel(struct run *run, struct run_call *call);        /* done is not called any more */

/* The active deployment, variables, specification, timeout or runtime changed: drain the old record's workers. */
void run_function_changed(struct run *run, struct live_function *old, struct live_function *new);

/* ---- asynchronous executions (queue.c): committed rows are run in order ------------------------------------------- */

/* Rows waiting when the api started are enqueued by this; call once before serving. */
int run_queue_load(struct run *run, struct db *db, struct error *err);
/* A row that has just been committed as waiting. */
void run_queue_add(struct run *run, int64_t seq, const char *project_id, const char *function_id);

/* ---- children that are no workers: builds -------------------------------------------------------------------------- */

struct child_request {
    uint32_t kind;                  /* enum sandbox_kind: SANDBOX_UNPACK, SANDBOX_BUILD, SANDBOX_PACK */
    uint32_t network;
    const char *tree, *cache;
    uint32_t memory_mb, cpus_milli, cpu_seconds;
    bool own_program;
    const struct buffer *launch;    /* as runtime_launch makes it */
    int stdin_fd, stdout_fd, stderr_fd;     /* borrowed; stdin -1: none */
    /* Called once, on the loop thread: how it ended. failed: it never started, text says why. */
    void (*ended)(void *context, bool failed, uint32_t exit_reason, int status, uint64_t cpu_us, const char *text);
    void *context;
};
uint64_t run_child_start(struct run *run, const struct child_request *request);    /* loop thread; 0: refused, ended was called */
void run_child_kill(struct run *run, uint64_t child_id);

/* Seal or remove a tree; done once with "" or the sentence. */
void run_tree_seal(struct run *run, const char *tree, void (*done)(void *context, const char *error), void *context);
void run_tree_remove(struct run *run, const char *tree, void (*done)(void *context, const char *error), void *context);

/* Figures for health: executions running, waiting for a worker, waiting in the asynchronous queue; workers, spares. */
struct run_figures {
    size_t running, waiting, queued, workers, spares;
    size_t worker_failures;         /* since start: died or broke the protocol */
};
void run_figures(const struct run *run, struct run_figures *ret_figures);
/* Waiting in the asynchronous queue, of one project's functions ("" for all). */

/* Graceful stop: no new workers' work; idle when nothing runs. */
bool run_is_idle(const struct run *run);
void run_stop(struct run *run);

/* Environment of a worker or a build as NAME=value: user variables first, overridden by the system's names. Caller frees. */
char **run_environment(const struct run *run, const struct live_function *function, const struct deployment *deployment,
                       bool for_build);
void run_environment_free(char **environment);

/* Header lines the platform adds to a request: x-appwrite-execution-id, -trigger, -key, -user-id, -user-jwt, ... */
struct run_identity {
    const char *execution_id;
    const char *trigger;            /* http, schedule, event */
    const char *event;              /* NULL: header absent */
    const char *user_id;            /* "" if none */
    const struct token *user;       /* to make the user token from; NULL: empty header */
    const char *client_ip;          /* NULL: absent */
};
void run_add_identity(const struct run *run, const struct live_function *function, const struct run_identity *identity,
                      struct buffer *header_block);

#endif
