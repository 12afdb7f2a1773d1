/*
 * Running executions: from a request to a worker and back, on the loop thread. Knows nothing of
 * HTTP documents.
 */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "geo.h"
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
    const struct geo *geo;    /* where callers are; or NULL */
    int supervisor_fd;        /* SOCK_SEQPACKET to the supervisor; taken over */
    const char *api_endpoint; /* http://host:port/v1, for functions; kept, not copied */
    void *context;
    void (*on_stop)(void *context, bool now); /* the supervisor asks the api to stop */
    void (*on_supervisor_lost)(void *context);
};

/* Waits for the supervisor's WELCOME (at most 10 s), starts the spares. */
int run_new(const struct run_options *options, struct run **ret_run, struct error *err);

/*
 * After the loop has ended for good and before the store is closed. Calls that are still open are
 * not told. After run_stop() the supervisor is told that the api leaves as it should.
 */
void run_free(struct run *run);

/* The host report (JSON) the supervisor sent. */
const char *run_host_report(const struct run *run);

enum run_outcome {
    RUN_ANSWERED,   /* all of the result is the function's (also its 500s) */
    RUN_TIMED_OUT,  /* the deadline passed first; the worker may still be busy */
    RUN_FAILED,     /* worker died, could not start, ...: see message; in logs and
                       errors what was logged before and the end of its stderr */
    RUN_OVERLOADED, /* queue full, or no worker possible for a call from inside */
    RUN_CANCELED
};

struct run_result {
    enum run_outcome outcome;
    unsigned status;       /* 500 when the function gave none */
    struct buffer headers; /* checked; x-open-runtimes-* and those of the connection are
                              dropped, content-length is made from the body */
    struct buffer body;
    struct buffer logs, errors; /* cut to execution_log_bytes: warning line and end */
    int64_t duration_us;        /* from hand-over (or the worker's start) to the answer */
    char message[512];          /* RUN_FAILED */
    int code;                   /* RUN_FAILED: the code shown behind the message */
};

/* The result is borrowed; buffers may be stolen from it. Called once, on the loop thread. */
typedef void run_done(void *context, struct run_result *result);

/*
 * What the record's `errors` says of a run that did not end by the function's own answer: what was
 * logged, then the sentence of the failure, or of `late` when the deadline passed. The caller
 * frees.
 */
char *run_failure_errors(const struct run_result *result, const struct error *late);

struct run_request {
    struct live_function *function; /* with an active, ready deployment; kept until done */
    const char *method;
    const char *path;    /* with query; "/" if empty */
    const char *headers; /* header block, complete (x-appwrite-* included) */
    size_t headers_size;
    struct buffer *body;            /* taken over; NULL: empty */
    int64_t deadline_us;            /* monotonic; after it RUN_TIMED_OUT. 0: none of its own */
    const char *caller_function_id; /* the call came from inside this function (its key), or NULL */
    run_done *done;
    void *context;
};

/* Copies what it needs. NULL: done was called already. Otherwise the handle is valid until done. */
struct run_call *run_start(struct run *run, const struct run_request *request);
void run_cancel(struct run *run, struct run_call *call); /* done is not called any more */

/*
 * As a registry_changed: workers are drained unless both records are of one generation; who waits
 * moves to the new record.
 */
void run_function_changed(struct run *run, struct live_function *old, struct live_function *new);

/* ---- asynchronous executions (queue.c): committed rows are run in order ---------------------- */

/*
 * Rows waiting when the api started are enqueued by this; call once before serving.
 *
 * input_headers of a row holds the caller's lines; the lines of run_add_identity() are made anew
 * when it runs, with keys that live from then on. x-appwrite-user-jwt tells whose; client-ip and
 * event stay.
 */
int run_queue_load(struct run *run, struct db *db, struct error *err);
/* A row that has just been committed as waiting. */
void run_queue_add(struct run *run, int64_t seq, const char *project_id, const char *function_id);

/* ---- children that are no workers: builds ---------------------------------------------------- */

struct child_request {
    uint32_t kind; /* enum sandbox_kind: SANDBOX_UNPACK, _BUILD, _PACK */
    uint32_t network;
    const char *tree, *cache;
    uint32_t memory_mb, cpus_milli, cpu_seconds;
    bool own_program;
    const struct buffer *launch;        /* as runtime_launch makes it */
    int stdin_fd, stdout_fd, stderr_fd; /* borrowed; stdin -1: none */
    /* Called once, on the loop thread: how it ended. failed: it never started, text says why. */
    void (*ended)(void *context, bool failed, uint32_t exit_reason, int status, uint64_t cpu_us,
                  const char *text);
    void *context;
};
/* Loop thread. 0: refused, ended was called. */
uint64_t run_child_start(struct run *run, const struct child_request *request);
void run_child_kill(struct run *run, uint64_t child_id);

/* Seal or remove a tree, or the package cache of a project; done once with "" or the sentence. */
typedef void run_tree_done(void *context, const char *error);
void run_tree_seal(struct run *run, const char *tree, run_tree_done *done, void *context);
void run_tree_remove(struct run *run, const char *tree, run_tree_done *done, void *context);
void run_cache_remove(struct run *run, const char *project_id, run_tree_done *done, void *context);

/* For health: executions running, waiting for a worker, waiting in the asynchronous queue. */
struct run_figures {
    size_t running, waiting, queued, workers, spares;
    size_t worker_failures; /* since start: died or broke the protocol */
};
void run_figures(const struct run *run, struct run_figures *ret_figures);

/* Graceful stop: what runs is finished, nothing new is begun; idle when nothing runs. */
bool run_is_idle(const struct run *run);
void run_stop(struct run *run);

/* Of a worker or a build as NAME=value: user variables, then the system's. Caller frees. */
char **run_environment(const struct run *run, const struct live_function *function,
                       const struct deployment *deployment, bool for_build);
void run_environment_free(char **environment);

/* Header lines the platform adds to a request: x-appwrite-execution-id, -trigger, -key, ... */
struct run_identity {
    const char *execution_id;
    const char *trigger;      /* http, schedule, event */
    const char *event;        /* NULL: header absent */
    const char *user_id;      /* "" if none */
    const struct token *user; /* to make the user token from; NULL: empty header */
    const char *client_ip;    /* NULL: absent */
};
void run_add_identity(const struct run *run, const struct live_function *function,
                      const struct run_identity *identity, struct buffer *header_block);

#endif
