/*
 * One synchronous execution, whoever asked for it: the executions endpoint or a function's domain.
 * Gives it its id, hands it to the run room, turns the outcome into the record that is stored.
 */
#ifndef EXECUTE_H
#define EXECUTE_H

#include "daemon.h"

struct execute;

/*
 * The record as it will be stored, and what the function answered. Both are borrowed for the call.
 */
typedef void execute_done(void *context, const struct execution *execution,
                          struct run_result *result);

struct execute_request {
    struct api *api;
    struct live_function *function; /* with an active, ready deployment */
    const char *method, *path;
    struct buffer *headers;   /* header block of the caller; the platform's lines are added */
    struct buffer *body;      /* taken over; may be NULL */
    const char *user_id;      /* "" if none */
    const struct token *user; /* NULL: no user token for the function */
    const char *client_ip;
    const char *caller_function_id; /* NULL unless a function calls */
    execute_done *done;
    void *context;
};

/* Loop thread. done is called exactly once, maybe before this returns. */
struct execute *execute_start(const struct execute_request *request);
/* Nobody waits for the answer any more; the execution runs on and is stored. */
void execute_abandon(struct execute *execute);

/*
 * What a synchronous execution that took longer than sync_seconds is told: the row's sentence with
 * the seconds of the setting, which are the published ones where it is left alone. Returns -1.
 */
int execute_fail_late(int64_t sync_seconds, struct error *err);

/* Why this function cannot run now: no deployment, not ready, unknown runtime. 0 when it can. */
int execute_check(const struct live_function *function, struct error *err);

/* The stored part of a request's header block, as a JSON list. */
char *execute_kept_request_headers(const char *block, size_t bytes);

#endif
